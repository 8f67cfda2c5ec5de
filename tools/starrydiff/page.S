// The page of --html, as it stands in page.html.
    .section .rodata
    .global starry_diff_page
    .global starry_diff_page_end
starry_diff_page:
    .incbin PAGE_FILE
starry_diff_page_end:
    .byte 0
    .section .note.GNU-stack,"",@progbits
