# Executes what may do anything: a probe.

    .section .bss.probe, "aw", @nobits
    .balign 8
    .globl PROBE_STACK
PROBE_STACK:    .skip 8             # where the stack goes on after a fault; 0 while no probe runs

    .text

# RDI = where, RSI = the address that goes into RDI, EDX, ECX, R8D = EAX, ECX, EDX for the probe. RAX = EAX and ECX after it, RDX = status.
# A probe ends with RET, or in a signal, whose handler goes on at `probe_faulted` with the status in R8.
    .globl try_probe
try_probe:
    pushq %rbx
    pushq %rbp
    movq %rdi, %rbp
    movq %rsi, %rdi
    movl %edx, %eax
    movl %r8d, %edx
    xorl %ebx, %ebx
    xorl %r8d, %r8d
    movq %rsp, PROBE_STACK(%rip)
    call *%rbp
    jmp 1f
    .globl probe_faulted
probe_faulted:
    xorl %eax, %eax
    xorl %ecx, %ecx
1:  movq $0, PROBE_STACK(%rip)
    fninit                          # what MMX, 3DNow! and x87 instructions left
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
    .globl snippet_xsave
snippet_xsave:
    xsave (%rdi)
    ret
