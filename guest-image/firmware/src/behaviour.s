# Executes what may do anything: a probe.

    .section .bss.probe, "aw", @nobits
    .balign 8
    .globl PROBE_STACK
PROBE_STACK:    .skip 8             # where the stack goes on after a fault; 0 while no probe runs

    .section .rom.traps, "ax"
    .code64

# EDI = where, RSI = the address that goes into RDI, EDX, ECX, R8D = EAX, ECX, EDX for the probe. RAX = EAX and ECX after it, RDX = status.
# A probe ends with RET, or in a fault, after which traps.s goes on at `probe_faulted`.
    .globl try_probe
try_probe:
    pushq %rbx
    pushq %rbp
    movl %edi, %ebp
    movq %rsi, %rdi
    movl %edx, %eax
    movl %r8d, %edx
    xorl %ebx, %ebx
    xorl %r8d, %r8d
    movq %rsp, PROBE_STACK
    call *%rbp
    jmp 1f
    .globl probe_faulted
probe_faulted:
    xorl %eax, %eax
    xorl %ecx, %ecx
1:  movq $0, PROBE_STACK
    movl %eax, %eax
    shlq $32, %rcx
    orq %rcx, %rax
    movq %r8, %rdx
    popq %rbp
    popq %rbx
    ret

# Snippets that are no row of the table.
    .globl snippet_read
snippet_read:
    movl (%rdi), %eax
    ret
    .globl snippet_wrpkru
snippet_wrpkru:
    wrpkru
    ret
    .globl snippet_xsave
snippet_xsave:
    xsave (%rdi)
    ret
# EAX goes into CR4, and then ECX; EAX = CR4 between. Nothing below the upper half of addresses is touched there.
    .globl snippet_cr4_above
snippet_cr4_above:
    movl %ecx, %ecx
    movabsq $UPPER + 1f, %rdx
    jmpq *%rdx
1:  movq %rax, %cr4
    movq %cr4, %rax
    movq %rcx, %cr4
    movl $2f, %edx
    jmpq *%rdx
2:  ret

    .text
    .code64
