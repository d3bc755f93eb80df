/* Microseconds a row of LightGBM's fast single-row C API, its fastest way to one prediction: the model and the
 * configuration are prepared once, then one call a row. Median of several passes over the sample.
 *
 *   single_row lib_lightgbm.so model.txt sample.x rows columns */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PASSES 9
typedef int (*create_fn)(const char *, int *, void **);
typedef int (*init_fn)(void *, int, int, int, int, int32_t, const char *, void **);
typedef int (*predict_fn)(void *, const void *, int64_t *, double *);

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int fail(const char *what) {
    fprintf(stderr, "single_row: %s\n", what);
    return 1;
}

int main(int count, char **arguments) {
    if (count != 6) return fail("five arguments are wanted");
    long rows = atol(arguments[4]), columns = atol(arguments[5]);
    void *library = dlopen(arguments[1], RTLD_NOW);
    if (!library) return fail(dlerror());
    create_fn create = (create_fn)dlsym(library, "LGBM_BoosterCreateFromModelfile");
    init_fn init = (init_fn)dlsym(library, "LGBM_BoosterPredictForMatSingleRowFastInit");
    predict_fn predict = (predict_fn)dlsym(library, "LGBM_BoosterPredictForMatSingleRowFast");
    if (!create || !init || !predict) return fail("the library lacks the fast single-row functions");
    float *values = malloc(sizeof(float) * (size_t)(rows * columns));
    FILE *file = fopen(arguments[3], "rb");
    if (!values || !file || fread(values, sizeof(float) * (size_t)columns, (size_t)rows, file) != (size_t)rows)
        return fail("the sample cannot be read");
    void *model = NULL, *fast = NULL;
    int rounds = 0;
    if (create(arguments[2], &rounds, &model)) return fail("the model cannot be read");
    if (init(model, 0, 0, -1, 0, (int32_t)columns, "num_threads=1 verbosity=-1", &fast)) return fail("no fast configuration");
    double times[PASSES], answer = 0, sum = 0;
    int64_t length = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        double start = now();
        for (long row = 0; row < rows; row++) {
            if (predict(fast, values + row * columns, &length, &answer)) return fail("a prediction failed");
            sum += answer;
        }
        times[pass] = (now() - start) / (double)rows * 1e6;
    }
    qsort(times, PASSES, sizeof(double), ascending);
    fprintf(stderr, "sum %f\n", sum);
    printf("%f\n", times[PASSES / 2]);
    return 0;
}
