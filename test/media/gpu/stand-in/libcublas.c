int cublasCreate_v2(void **out) { return *out = out, 0; }
int cublasGetMathMode(void *handle, int *out) { return *out = 0, 0; }
const char *cublasGetStatusName(int status) { return "CUBLAS_STATUS_STAND_IN"; }
const char *cublasGetStatusString(int status) { return "the stand-in's status"; }
