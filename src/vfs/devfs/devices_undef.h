// Ends one use of devices.def. No include guard: included after every use.
#undef DEV_MEMORY
#undef DEV_NODE
#undef DEV_LINK
#undef DEV_DIR
