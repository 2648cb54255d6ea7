# Instructions that may fault, and the reports of registers. A value is EDI:ESI, a status EDX.

    .section .rom.legacy, "ax"
    .code32

# Each of the `try` routines answers with EBX = status and, if it reads, EDX:EAX = value (0 after a fault). The instruction
# that may fault is 3 bytes long; traps.s goes on behind it.
try_rdmsr_32:
    xorl %eax, %eax
    xorl %edx, %edx
    xorl %ebx, %ebx
legacy_fixup_rdmsr:
    rdmsr
    nop
    ret

try_wrmsr_32:
    xorl %ebx, %ebx
legacy_fixup_wrmsr:
    wrmsr
    nop
    ret

try_read_cr4:
    xorl %eax, %eax
    xorl %edx, %edx
    xorl %ebx, %ebx
legacy_fixup_read_cr4:
    movl %cr4, %eax
    ret

try_write_cr4_32:
    xorl %ebx, %ebx
legacy_fixup_write_cr4:
    movl %eax, %cr4
    ret

try_xgetbv_32:
    xorl %ecx, %ecx
    xorl %eax, %eax
    xorl %edx, %edx
    xorl %ebx, %ebx
legacy_fixup_xgetbv:
    xgetbv
    ret

try_xsetbv_32:
    xorl %ecx, %ecx
    xorl %ebx, %ebx
legacy_fixup_xsetbv:
    xsetbv
    ret

# Reads MSR ECX behind a breadcrumb: EDI:ESI = value, EDX = status.
rdmsr_in_order:
    movl V_SLOT(%ebp), %edx
    movl %ecx, SLOT_OPERAND(%edx)
    movl $0, SLOT_OPERAND2(%edx)
    movl $OP_RDMSR, SLOT_OP(%edx)
    call try_rdmsr_32
    jmp as_report

# From a `try` routine's answer to what the reports take.
as_report:
    movl %eax, %esi
    movl %edx, %edi
    movl %ebx, %edx
    ret

report_cr4:
    call try_read_cr4
    call as_report
    movl $CONTROL_CR4, %ecx
    jmp report_control

# Reports a register: ECX = control number. Keep ESI and EDI.
report_control_value:
    xorl %edx, %edx
report_control:
    movl $KIND_CONTROL, %eax

# Reports a register: EAX = kind of frame, ECX = number, EDX = status, EDI:ESI = value.
report_register:
    pushl %ecx
    pushl %edx
    movl $16, %ecx
    call reserve
    popl %edx
    popl %ecx
    testl %eax, %eax
    jz 1f
    movl %ecx, (%eax)
    movl %edx, 4(%eax)
    movl %esi, 8(%eax)
    movl %edi, 12(%eax)
1:  ret

    .text
    .code64
