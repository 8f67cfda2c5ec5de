// Ends one use of entries.def. No include guard: included after every use.
#undef PROC_TEXT
#undef PROC_STORE
#undef PROC_VALUE
#undef PROC_LINK
#undef PROC_DIR
