# Real mode: where processors start, and the way to 32-bit protected mode.

# An application processor starts here: SIPI vector 0xF0 is F000:0000, the ROM's first byte.
    .section .rom.ap, "ax"
    .code16
    .globl ap_entry
ap_entry:
    movl $ap_setup, %ebx
    jmp enter_protected

# The boot processor starts here with CS.base = 0xFFFF0000. The far jump makes CS.base 0xF0000, the low alias.
    .section .rom.reset, "ax"
    .code16
    .globl reset_vector
reset_vector:
    .byte 0xEA
    .word bsp_entry - ROM
    .word 0xF000
    .balign 16, 0xF4

    .section .rom.boot, "ax"
    .code16
bsp_entry:
    movl $bsp_setup, %ebx

# EDX holds the processor's signature after reset and INIT (Intel SDM vol. 3, "Processor state after reset"): it goes on
# in EBP. EBX is where to continue.
enter_protected:
    cli
    cld
    movl %edx, %ebp
    lgdtl %cs:(gdt_pointer - ROM)
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    .byte 0x66, 0xEA
    .long protected
    .word 0x08

    .code32
protected:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    jmpl *%ebx

# The descriptors' accessed bits are set already: a processor that had to set one would write to ROM.
    .balign 8
gdt:
    .quad 0
    .quad 0x00CF9B000000FFFF    # 0x08: 32-bit code
    .quad 0x00CF93000000FFFF    # 0x10: data
    .quad 0x00AF9B000000FFFF    # 0x18: 64-bit code
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

    .text
    .code64
