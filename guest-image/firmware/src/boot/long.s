# The way to long mode (Intel SDM vol. 3, "Initializing IA-32e mode").

    .section .rom.boot, "ax"
    .code32

    .set PML4, PAGE_TABLES
    .set PDPT, PAGE_TABLES + 0x1000
    .set DIRECTORY_0, PAGE_TABLES + 0x2000
    .set DIRECTORY_3, PAGE_TABLES + 0x3000
    .set TABLE, 0x23                # present, writable, accessed
    .set PAGE_2M, 0xE3              # the same, dirty, 2 MiB
    .set UNCACHED, 0x18             # PCD, PWT

# Identity map of RAM up to the end of the last slot (1 GiB at most), and of the local APIC. In RAM and not in ROM: with
# EPT's accessed and dirty flags a walk of guest page tables counts as a write (Intel SDM vol. 3, "Accessed and dirty
# flags for EPT"), which KVM cannot grant on a read-only slot.
build_page_tables:
    xorl %eax, %eax
    movl $PAGE_TABLES, %edi
    movl $0x4000 / 4, %ecx
    rep stosl
    movl $PDPT + TABLE, PML4
    movl $DIRECTORY_0 + TABLE, PDPT
    movl $DIRECTORY_3 + TABLE, PDPT + 3 * 8
    movl $LOCAL_APIC + PAGE_2M + UNCACHED, DIRECTORY_3 + 503 * 8

    movl CONFIG + CONFIG_SLOT_SIZE, %eax
    mull CONFIG + CONFIG_SLOTS
    addl CONFIG + CONFIG_SLOT_BASE, %eax
    addl $0x1FFFFF, %eax
    shrl $21, %eax
    movl $512, %ecx
    cmpl %ecx, %eax
    ja 1f
    movl %eax, %ecx
1:  movl $PAGE_2M, %eax
    movl $DIRECTORY_0, %edi
2:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    loop 2b
    xorl %edi, %edi
    ret

# EDI = slot index, EBP = signature, ESP = top of the slot. Only what long mode needs is set: phase `reset` shows the guest
# before an operating system sets anything.
enter_long:
    movl $PML4, %eax
    movl %eax, %cr3
    movl $1 << 5, %eax              # PAE
    movl %eax, %cr4
    movl $0xC0000080, %ecx          # IA32_EFER
    rdmsr
    orl $1 << 8, %eax               # LME
    wrmsr
    movl %cr0, %eax
    orl $1 << 31, %eax
    movl %eax, %cr0
    ljmpl $0x18, $long_start

    .code64
long_start:
    lidt trap_table_pointer
    movl %esp, %esp
    movl %ebp, %esi
    movl %edi, %edi
    xorl %ebp, %ebp
    call agent_main
    ud2

    .text
    .code64
