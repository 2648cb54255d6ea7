# The 64-bit agent's interrupt descriptor table, in ROM, and the instructions that are allowed to fault.

    .section .rom.traps, "ax"
    .code64

# A stub a vector, 16 bytes each, so that the table below can compute their addresses. Vectors without an error code
# push a zero, so that every frame looks alike.
    .balign 16
trap_stubs:
    .set vector, 0
    .rept 32
    .balign 16
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
    .else
    pushq $0
    .endif
    pushq $vector
    jmp trap
    .set vector, vector + 1
    .endr

# Stack: RAX, vector, error code, RIP, CS, RFLAGS, RSP, SS. #UD and #GP on a known instruction are an answer: R8 gets the
# status, and execution goes on behind the instruction. All of them are 3 bytes long. Not by IRET, which KVM's instruction
# emulator knows in real mode only (Linux arch/x86/kvm/emulate.c, em_iret); nothing behind them needs the flags. RCX is lost.
trap:
    pushq %rax
    cmpq $0, PROBE_STACK
    jne 4f
    cmpb $6, 8(%rsp)
    je 1f
    cmpb $13, 8(%rsp)
    jne 3f
1:  movq 24(%rsp), %rax
    cmpq $fixup_rdmsr, %rax
    je 2f
    cmpq $fixup_wrmsr, %rax
    je 2f
    cmpq $fixup_cr4, %rax
    je 2f
    cmpq $fixup_xsetbv, %rax
    je 2f
    cmpq $fixup_xgetbv, %rax
    jne 3f
2:  movl 8(%rsp), %r8d
    orl $0x100, %r8d
    leaq 3(%rax), %rcx
    popq %rax
    movq 40(%rsp), %rsp
    jmpq *%rcx
3:  movq 8(%rsp), %rdi
    movq 16(%rsp), %rsi
    movq 24(%rsp), %rdx
    movq %cr2, %rcx
    andq $-16, %rsp
    call agent_fault
    ud2
# Any fault of a probe is its answer (behaviour.s).
4:  movl 8(%rsp), %r8d
    orl $0x100, %r8d
    movq PROBE_STACK, %rsp
    jmp probe_faulted

# Each answers with the value in RAX and the status in RDX (fidelity_protocol::entry::status). They are called, never
# inlined: a trap writes below RSP, where a Rust function may have its red zone.
    .globl try_rdmsr
try_rdmsr:
    movl %edi, %ecx
    xorl %eax, %eax
    xorl %edx, %edx
    xorl %r8d, %r8d
fixup_rdmsr:
    rdmsr
    nop
    jmp join

    .globl try_wrmsr
try_wrmsr:
    movl %edi, %ecx
    movl %esi, %eax
    movq %rsi, %rdx
    shrq $32, %rdx
    xorl %r8d, %r8d
fixup_wrmsr:
    wrmsr
    nop
    xorl %eax, %eax
    movq %r8, %rdx
    ret

    .globl try_write_cr4
try_write_cr4:
    xorl %eax, %eax
    xorl %r8d, %r8d
fixup_cr4:
    movq %rdi, %cr4
    movq %r8, %rdx
    ret

    .globl try_xsetbv
try_xsetbv:
    xorl %ecx, %ecx
    movl %edi, %eax
    movq %rdi, %rdx
    shrq $32, %rdx
    xorl %r8d, %r8d
fixup_xsetbv:
    xsetbv
    xorl %eax, %eax
    movq %r8, %rdx
    ret

    .globl try_xgetbv
try_xgetbv:
    xorl %ecx, %ecx
    xorl %eax, %eax
    xorl %edx, %edx
    xorl %r8d, %r8d
fixup_xgetbv:
    xgetbv
join:
    shlq $32, %rdx
    orq %rdx, %rax
    movq %r8, %rdx
    ret

    .balign 16
trap_table:
    .set vector, 0
    .rept 32
    .word trap_stubs + 16 * vector - ROM
    .word 0x18
    .word 0x8E00                    # interrupt gate, present
    .word ROM >> 16
    .quad 0
    .set vector, vector + 1
    .endr
trap_table_pointer:
    .word trap_table_pointer - trap_table - 1
    .quad trap_table

    .text
    .code64
