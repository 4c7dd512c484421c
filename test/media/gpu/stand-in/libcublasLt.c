int cublasLtCreate(void **out) { return *out = out, 0; }
