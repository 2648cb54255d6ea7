# Phase `behaviour`, as in behaviour.rs.

    .section .rom.legacy, "ax"
    .code32

behaviour:
    call prepare_probes
    movl %eax, V_RUN(%ebp)          # XCR0
    movl $PROBES, %esi
    xorl %edi, %edi
1:  btl %edi, CONFIG + CONFIG_PROBES
    jnc 2f
    testb $MODE_32, PROBE_MODES(%esi)
    jz 2f
    movl V_SLOT(%ebp), %edx
    movl %edi, SLOT_OPERAND(%edx)
    movl $0, SLOT_OPERAND2(%edx)
    movl $OP_PROBE, SLOT_OP(%edx)
    pushl %esi
    pushl %edi
    call attempt
    # EAX = value, EBX = status
    popl %edi
    pushl %edi
    movl %eax, %esi
    movl %ebx, %edx
    movl %edi, %ecx
    xorl %edi, %edi
    movl $KIND_PROBE, %eax
    call report_register
    popl %edi
    popl %esi
    movl %edi, %eax
    andl $TOGETHER - 1, %eax
    cmpl $TOGETHER - 1, %eax
    je 3f
    testl $FLAG_EACH_PROBE, CONFIG + CONFIG_FLAGS
    jz 2f
3:  call flush
    pushl %esi
    call send_new
    popl %esi
2:  addl $PROBE_SIZE, %esi
    incl %edi
    cmpl $PROBE_COUNT, %edi
    jb 1b
    ret

# Sets what the probes need: EAX = XCR0 as it is then.
prepare_probes:
    movl $TSC_AUX, %ecx
    movl $TSC_AUX_MARK, %eax
    xorl %edx, %edx
    call try_wrmsr_32
    movl $0, V_REPORT(%ebp)
    call wanted_xcr0
    pushl %eax
    call try_xsetbv_low
    popl %eax
    jz 1f
    andl $COMMON_XCR0, %eax
    pushl %eax
    call try_xsetbv_low
    popl %eax
    jz 1f
    movl $1, %eax
1:  ret

# XSETBV of EAX; ZF is set if it was taken. 0 never is.
try_xsetbv_low:
    testl %eax, %eax
    jz 1f
    xorl %edx, %edx
    call try_xsetbv_32
    testl %ebx, %ebx
    ret
1:  incl %eax
    ret

# Tries the row at ESI: EAX = value, EBX = status.
attempt:
    movzbl PROBE_KIND(%esi), %eax
    cmpl $PROBE_KIND_CR4, %eax
    je attempt_cr4
    cmpl $PROBE_KIND_XCR0, %eax
    je attempt_xcr0
    cmpl $PROBE_KIND_MSR, %eax
    je attempt_msr
    cmpl $PROBE_KIND_WRMSR, %eax
    je attempt_wrmsr

# An instruction. All registers but EBP and ESP may change. What probes before it wrote is gone.
    movl $LINE, %edi
    xorl %eax, %eax
    movl $16, %ecx
    rep stosl
    pushl %esi
    movl %esp, PROBE_STACK
    pushl $1f
    pushl %esi
    movl PROBE_EAX(%esi), %eax
    movl PROBE_ECX(%esi), %ecx
    movl PROBE_EDX(%esi), %edx
    movl $LINE, %edi
    movl %edi, %esi
    xorl %ebx, %ebx
    ret
    .globl legacy_probe_faulted
legacy_probe_faulted:
    xorl %eax, %eax
    xorl %ecx, %ecx
    jmp 2f
1:  xorl %ebx, %ebx
2:  movl $0, PROBE_STACK
    cld
    popl %esi
    cmpb $RESULT_EAX, PROBE_RESULT(%esi)
    je 3f
    cmpb $RESULT_ECX, PROBE_RESULT(%esi)
    movl %ecx, %eax
    je 3f
    xorl %eax, %eax
3:  ret

attempt_cr4:
    testl $FLAG_HIDDEN_CR4, CONFIG + CONFIG_FLAGS
    jnz 5f
    movl $STATUS_NOT_TRIED, %ebx
    cmpl $0, HAS_CPUID
    je 2f
    movl PROBE_EAX(%esi), %eax
    andl $0x80000000, %eax
    xorl %ecx, %ecx
    call look
    movl PROBE_EAX(%esi), %eax
    cmpl V_EAX(%ebp), %eax
    ja 6f
    movzbl PROBE_REGISTER(%esi), %ecx
    shrl $7, %ecx
    call look
    movzbl PROBE_REGISTER(%esi), %ecx
    andl $3, %ecx
    movl V_EAX(%ebp, %ecx, 4), %eax
    testl PROBE_EDX(%esi), %eax
    jnz 5f
6:  movl $STATUS_NOT_TRIED, %ebx
    xorl %eax, %eax
    ret
5:  movl V_SLOT(%ebp), %edx         # `look` left a breadcrumb of its own
    movl 4(%esp), %ecx
    movl %ecx, SLOT_OPERAND(%edx)
    movl $OP_PROBE, SLOT_OP(%edx)
    call try_read_cr4
    testl %ebx, %ebx
    jnz 2f
    movl PROBE_ECX(%esi), %ecx
    movl $1, %edi
    shll %cl, %edi
    testl %edi, %eax
    jnz 3f
    movl %cr0, %edx                 # CR4.CET needs CR0.WP
    pushl %edx
    orl $1 << 16, %edx
    movl %edx, %cr0
    pushl %eax
    orl %edi, %eax
    call try_write_cr4_32
    testl %ebx, %ebx
    jnz 1f
    call try_read_cr4
    andl %eax, %edi
    movl (%esp), %eax
    call try_write_cr4_32
    xorl %ebx, %ebx
1:  popl %eax
    popl %edx
    movl %edx, %cr0
    testl %ebx, %ebx
    jnz 2f
    testl %edi, %edi
    jnz 3f
2:  xorl %eax, %eax
    ret
3:  movl $1, %eax
    xorl %ebx, %ebx
    ret

attempt_xcr0:
    movl V_RUN(%ebp), %eax
    movl PROBE_EAX(%esi), %ecx
    andl %eax, %ecx
    cmpl PROBE_EAX(%esi), %ecx
    je 3b
    orl PROBE_EAX(%esi), %eax
    xorl %edx, %edx
    call try_xsetbv_32
    testl %ebx, %ebx
    jnz 2b
    movl V_RUN(%ebp), %eax
    xorl %edx, %edx
    call try_xsetbv_32
    jmp 3b

attempt_msr:
    movl PROBE_ECX(%esi), %ecx
    call try_rdmsr_32
    testl %ebx, %ebx
    jnz 2b
    pushl %edx
    pushl %eax
    orl PROBE_EAX(%esi), %eax
    orl PROBE_EDX(%esi), %edx
    movl PROBE_ECX(%esi), %ecx
    call try_wrmsr_32
    testl %ebx, %ebx
    jnz 4f
    movl PROBE_ECX(%esi), %ecx
    call try_rdmsr_32
    andl PROBE_EAX(%esi), %eax
    andl PROBE_EDX(%esi), %edx
    xorl PROBE_EAX(%esi), %eax
    xorl PROBE_EDX(%esi), %edx
    orl %edx, %eax
    movl %eax, %edi
    movl (%esp), %eax
    movl 4(%esp), %edx
    movl PROBE_ECX(%esi), %ecx
    call try_wrmsr_32
    addl $8, %esp
    xorl %ebx, %ebx
    testl %edi, %edi
    jnz 2b
    jmp 3b
4:  addl $8, %esp
    jmp 2b

attempt_wrmsr:
    movl PROBE_ECX(%esi), %ecx
    movl PROBE_EAX(%esi), %eax
    movl PROBE_EDX(%esi), %edx
    call try_wrmsr_32
    testl %ebx, %ebx
    jnz 2b
    jmp 3b

    .text
    .code64
