//! The four functions that compiled Rust code calls for memory, which a C library provides elsewhere.
//!
//! `rep movsb` needs no loop of translated blocks under TCG and is fast enough everywhere: the agent copies little.

use core::arch::global_asm;

global_asm!(
    ".section .text.memory, \"ax\"",
    ".globl memcpy, memset, memcmp, bcmp",
    "memcpy:",
    "mov rax, rdi",
    "mov rcx, rdx",
    "rep movsb",
    "ret",
    "memset:",
    "mov r8, rdi",
    "mov eax, esi",
    "mov rcx, rdx",
    "rep stosb",
    "mov rax, r8",
    "ret",
    "memcmp:",
    "bcmp:",
    "mov rcx, rdx",
    "xor eax, eax",
    "test rcx, rcx",
    "repe cmpsb",
    "je 1f",
    "movzx eax, byte ptr [rdi - 1]",
    "movzx ecx, byte ptr [rsi - 1]",
    "sub eax, ecx",
    "1: ret",
);
