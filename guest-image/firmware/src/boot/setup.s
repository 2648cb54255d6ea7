# 32-bit protected mode without paging: what both agents need before they start.

    .section .bss.boot, "aw", @nobits
    .balign 4
    .globl CONFIG
CONFIG:     .skip CONFIG_WORDS * 4
    .globl HAS_CPUID
HAS_CPUID:  .skip 4                 # 1 if EFLAGS.ID can be toggled
long_mode:  .skip 4                 # 1 if the 64-bit agent runs

    .section .rom.boot, "ax"
    .code32

# The boot processor. Its slot is 0. RAM is not zero after a guest reset, so .bss is cleared here.
bsp_setup:
    xorl %eax, %eax
    movl $bss_start, %edi
    movl $bss_end, %ecx
    subl %edi, %ecx
    shrl $2, %ecx
    rep stosl

    movl $DEFAULT_CONFIG, %esi
    cmpl $MAILBOX_MAGIC, MAILBOX
    jne 1f
    cmpl $MAX_RANGES, MAILBOX + MAILBOX_RANGES
    ja 1f
    movl $MAILBOX + MAILBOX_FIELDS, %esi
1:  movl $CONFIG, %edi
    movl $CONFIG_WORDS, %ecx
    rep movsl

    movl CONFIG + CONFIG_SLOT_BASE, %esp
    addl CONFIG + CONFIG_SLOT_SIZE, %esp
    cmpl $0, CONFIG + CONFIG_VCPUS
    jne 2f
    call count_vcpus
    movl %eax, CONFIG + CONFIG_VCPUS
2:  call detect_cpuid
    movl %eax, HAS_CPUID
    call detect_long_mode
    movl %eax, long_mode
    xorl %edi, %edi                 # slot index
    testl %eax, %eax
    jz legacy_start
    call build_page_tables
    jmp enter_long

# An application processor takes the next slot. One that finds none left is counted and halts unseen.
ap_setup:
    movl $1, %edi
    lock xaddl %edi, NEXT_SLOT
    cmpl CONFIG + CONFIG_SLOTS, %edi
    jae ap_without_slot
    movl CONFIG + CONFIG_SLOT_SIZE, %eax
    leal 1(%edi), %ecx
    mull %ecx
    addl CONFIG + CONFIG_SLOT_BASE, %eax
    movl %eax, %esp
    cmpl $0, long_mode
    je legacy_start
    jmp enter_long

ap_without_slot:
    movl $1, %eax
    lock xaddl %eax, DONE_TAIL
    cmpl $DONE_QUEUE_LEN, %eax
    jae 1f
    movl $-1, DONE_QUEUE(, %eax, 4)
1:  cli
    hlt
    jmp 1b

# EAX = the vCPU count that QEMU's fw_cfg tells (QEMU docs/specs/fw_cfg.rst; FW_CFG_NB_CPUS is a 16-bit number),
# 0 where there is no fw_cfg.
count_vcpus:
    movl $0x510, %edx
    xorl %eax, %eax
    outw %ax, %dx                   # selector 0: the signature
    incl %edx
    movl $4, %ecx
1:  inb %dx, %al
    movb %al, %bl
    rorl $8, %ebx
    loop 1b
    xorl %eax, %eax
    cmpl $0x554D4551, %ebx          # "QEMU"
    jne 2f
    decl %edx
    movb $5, %al
    outw %ax, %dx
    incl %edx
    inb %dx, %al
    movb %al, %cl
    inb %dx, %al
    movb %al, %ch
    movzwl %cx, %eax
2:  ret

# EAX = 1 if EFLAGS.ID can be toggled, which is how software tells that CPUID exists (Intel SDM vol. 2, "CPUID").
detect_cpuid:
    pushfl
    popl %ecx
    movl %ecx, %eax
    xorl $1 << 21, %eax
    pushl %eax
    popfl
    pushfl
    popl %eax
    pushl %ecx
    popfl
    xorl %ecx, %eax
    shrl $21, %eax
    andl $1, %eax
    ret

# EAX = 1 if the processor announces long mode and what its set-up takes for granted: MSRs and PAE.
detect_long_mode:
    cmpl $0, HAS_CPUID
    je 1f
    xorl %eax, %eax
    xorl %ecx, %ecx
    cpuid
    testl %eax, %eax
    jz 1f
    movl $1, %eax
    xorl %ecx, %ecx
    cpuid
    andl $NEEDED_1_EDX, %edx
    cmpl $NEEDED_1_EDX, %edx
    jne 1f
    movl $0x80000000, %eax
    xorl %ecx, %ecx
    cpuid
    cmpl $0x80000001, %eax
    jb 1f
    movl $0x80000001, %eax
    xorl %ecx, %ecx
    cpuid
    movl %edx, %eax
    shrl $29, %eax
    andl $1, %eax
    ret
1:  xorl %eax, %eax
    ret

# CPUID.01H:EDX bits MSR and PAE.
    .set NEEDED_1_EDX, 1 << 5 | 1 << 6

    .text
    .code64
