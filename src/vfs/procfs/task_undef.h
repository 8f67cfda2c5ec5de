// Ends one use of task_entries.def. No include guard: included after every use.
#undef TASK_TEXT
#undef TASK_STORE
#undef TASK_OTHER
