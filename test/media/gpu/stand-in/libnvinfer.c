/* Objects of C++ whose every virtual function answers 0. The second one holds the first where TensorRT keeps its inner object. */
static long nothing(void) { return 0; }
#define EIGHT nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing
static void *functions[] = {EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT, EIGHT};
static void *inner[8] = {functions};
static void *object[8] = {functions, inner, inner, inner};
void *getPluginRegistry(void) { return object; }
void *createInferRuntime_INTERNAL(void *logger, int version) { return object; }
int getInferLibVersion(void) { return 101500; }
