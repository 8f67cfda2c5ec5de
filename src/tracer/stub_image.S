// The stub executable as bytes: written to a memfd and executed for every new address space.
    .section .rodata
    .globl stub_image_start, stub_image_end
    .balign 4096
stub_image_start:
    .incbin STUB_FILE
stub_image_end:
    .section .note.GNU-stack,"",@progbits
