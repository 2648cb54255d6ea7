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

# The same while a state has another value. EDI, RSI as above, EDX = STATE_…, ECX = MSR index, R8 = the value meanwhile, R9 = the value
# before. Short, for what runs in another state is translated once more by an emulator.
    .globl try_in_state
try_in_state:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    movl %edi, %r12d
    movq %rsi, %r13
    movl %edx, %ebp
    movl %ecx, %ebx
    movq %r9, %r14
    movq %r8, %rsi
    call write_state
    testl %edx, %edx
    jnz 1f
    movl %r12d, %edi
    movq %r13, %rsi
    xorl %edx, %edx
    xorl %ecx, %ecx
    xorl %r8d, %r8d
    call try_probe
    movq %rax, %r12
    movq %rdx, %r13
    movq %r14, %rsi
    call write_state
    movq %r12, %rax
    movq %r13, %rdx
2:  popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
1:  xorl %eax, %eax
    movl $STATUS_NOT_TRIED, %edx
    jmp 2b

# Writes RSI where EBP and EBX say.
write_state:
    cmpl $STATE_MSR, %ebp
    je 1f
    movq %rsi, %rdi
    jb try_write_cr4
    jmp try_xsetbv
1:  movl %ebx, %edi
    jmp try_wrmsr

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
