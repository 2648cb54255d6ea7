# Control state as an operating system would set it, as in enable.rs.

    .section .rom.legacy, "ax"
    .code32

enabled:
    movl $0, V_REPORT(%ebp)
    call wanted_cr4
    movl %eax, %esi
    xorl %edi, %edi
    movl $CONTROL_WANTED_CR4, %ecx
    call report_control_value
    pushl %esi
    call wanted_xcr0
    movl %eax, %esi
    movl %edx, %edi
    movl $CONTROL_WANTED_XCR0, %ecx
    call report_control_value
    # What was asked for must have left, should the guest hang on it.
    call flush
    popl %eax
    call may_write
    jne 1f
    pushl %esi
    pushl %edi
    call write_cr4
    popl %edi
    popl %esi
1:  pushl %esi
    pushl %edi
    call report_cr4
    popl %edi
    popl %esi
    testl $FLAG_NO_XCR0, CONFIG + CONFIG_FLAGS
    jnz walk
    call write_xcr0
    call as_report
    movl $CONTROL_XCR0, %ecx
    call report_control
    jmp walk

# EAX = CR4 with every bit of CR4_FEATURES that CPUID announces.
wanted_cr4:
    call try_read_cr4
    movl %eax, %edi
    cmpl $0, HAS_CPUID
    je 4f
    xorl %eax, %eax
    xorl %ecx, %ecx
    call look
    movl V_EAX(%ebp), %ebx
    movl $CR4_FEATURES, %esi
1:  movl CR4_FEATURE_LEAF(%esi), %eax
    cmpl %ebx, %eax
    ja 2f
    xorl %ecx, %ecx
    call look
    movl CR4_FEATURE_REGISTER(%esi), %ecx
    movl V_EAX(%ebp, %ecx, 4), %eax
    testl CR4_FEATURE_MASK(%esi), %eax
    jz 2f
    orl CR4_FEATURE_CR4(%esi), %edi
2:  addl $CR4_FEATURE_SIZE, %esi
    cmpl $CR4_FEATURES + CR4_FEATURE_SIZE * CR4_FEATURE_COUNT, %esi
    jb 1b
4:  movl %edi, %eax
    ret

# EDX:EAX = the components that CPUID.0DH offers.
wanted_xcr0:
    xorl %eax, %eax
    xorl %edx, %edx
    cmpl %eax, HAS_CPUID
    je 1f
    xorl %ecx, %ecx
    call look
    cmpl $0xD, V_EAX(%ebp)
    movl $0, %eax
    movl $0, %edx
    jb 1f
    movl $0xD, %eax
    xorl %ecx, %ecx
    call look
    movl V_EAX(%ebp), %eax
    movl V_EDX(%ebp), %edx
1:  ret

# Writes EAX to CR4: all at once, and where that faults bit by bit, so that one refused bit costs no other.
write_cr4:
    movl $CONTROL_CR4, %ecx
    call about_to_write
    movl %eax, %edi
    call try_write_cr4_32
    testl %ebx, %ebx
    jz 3f
    movl $CR4_FEATURES, %esi
1:  testl CR4_FEATURE_CR4(%esi), %edi
    jz 2f
    call try_read_cr4
    orl CR4_FEATURE_CR4(%esi), %eax
    call try_write_cr4_32
2:  addl $CR4_FEATURE_SIZE, %esi
    cmpl $CR4_FEATURES + CR4_FEATURE_SIZE * CR4_FEATURE_COUNT, %esi
    jb 1b
3:  ret

# Writes EDI:ESI to XCR0 where it may. EDX:EAX and EBX = XCR0 after it, as a `try` routine answers.
write_xcr0:
    movl $CONTROL_XCR0, %ecx
    movl %esi, %eax
    call about_to_write
    call may_write
    jne try_xgetbv_32
    movl %edi, %edx
    call try_xsetbv_32
    testl %ebx, %ebx
    jnz 1f
    movl %esi, %eax
    movl %edi, %edx
    ret
1:  xorl %eax, %eax
    xorl %edx, %edx
    ret

# ZF is set if control state may be written: in the first dump, and on application processors, which INIT has reset. Keeps
# everything else.
may_write:
    cmpl $0, V_INDEX(%ebp)
    je 1f
    cmpl %eax, %eax
    ret
1:  cmpl $0, V_GENERATION(%ebp)
    ret

# The breadcrumb of control register ECX, into which EAX is about to be written. Keeps EAX.
about_to_write:
    movl V_SLOT(%ebp), %edx
    movl %ecx, SLOT_OPERAND(%edx)
    movl %eax, SLOT_OPERAND2(%edx)
    movl $OP_CONTROL, SLOT_OP(%edx)
    ret

    .text
    .code64
