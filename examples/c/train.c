/* Trains a small network from an artifact, without a compiler or LibTorch:
 *
 *   aftc regression.mlir --training=adamw -o regression.so
 *   train regression.so [CHECKPOINT.safetensors]
 *
 * A session keeps parameters and moments; each step is one call. The last steps are
 * done twice, the second time from the checkpoint, and must give the same loss. */

#include "aft/aft.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kRows = 64, kColumns = 4, kSteps = 400, kLast = 20 };

static void check(aft_status status) {
  if (status == AFT_OK)
    return;
  fprintf(stderr, "train: %s\n", aft_message());
  exit(1);
}

/* A number in [-1, 1). */
static float draw(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return (float)(*seed >> 8) / (float)(1 << 23) - 1.0f;
}

/* The artifact has no values of the parameters: they start at zero, which a
   network must not. Moments ("m.", "v.") stay zero. */
static void initialize(aft_session *session) {
  uint32_t seed = 1;
  for (size_t i = 0; i < aft_session_state_count(session); ++i) {
    const char *name;
    aft_buffer value;
    check(aft_session_state(session, i, &name, &value));
    if (strncmp(name, "m.", 2) == 0 || strncmp(name, "v.", 2) == 0)
      continue;
    float scale = 1.0f / sqrtf((float)value.shape[0]);
    for (int64_t j = 0; j < value.shape[0] * value.shape[1]; ++j)
      ((float *)value.data)[j] = scale * draw(&seed);
  }
}

/* One step on a batch that depends on its number alone; the loss. */
static float step(aft_session *session) {
  static const int64_t inputShape[] = {kRows, kColumns}, targetShape[] = {kRows, 1};
  float inputs[kRows * kColumns], targets[kRows], rate = 0.01f, loss;
  uint32_t seed = 2654435769u * (uint32_t)(1 + aft_session_steps(session));
  for (int row = 0; row < kRows; ++row) {
    float *x = inputs + row * kColumns;
    for (int column = 0; column < kColumns; ++column)
      x[column] = draw(&seed);
    targets[row] = sinf(2 * x[0]) - x[1] + 0.5f * x[2] * x[3] * x[3];
  }
  aft_buffer arguments[] = {{&rate, AFT_F32, 0, NULL},
                            {inputs, AFT_F32, 2, inputShape},
                            {targets, AFT_F32, 2, targetShape}};
  aft_buffer result = {&loss, AFT_F32, 0, NULL};
  check(aft_session_step(session, arguments, 3, &result, 1, NULL));
  return loss;
}

int main(int argc, char **argv) {
  aft_model *model = NULL;
  aft_session *session = NULL;
  size_t entry;
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: train MODEL.so [CHECKPOINT.safetensors]\n");
    return 2;
  }
  const char *checkpoint = argc > 2 ? argv[2] : "checkpoint.safetensors";
  check(aft_open(argv[1], NULL, &model));
  check(aft_find_entry(model, "train_step", &entry));
  check(aft_session_create(model, entry, 1, &session));
  initialize(session);
  for (int i = 0; i < kSteps; ++i) {
    float loss = step(session);
    if (i == 0 || (i + 1) % 100 == 0)
      printf("step %d  loss %.4f\n", i + 1, loss);
  }
  check(aft_session_save(session, checkpoint));
  float first[kLast];
  for (int i = 0; i < kLast; ++i)
    first[i] = step(session);
  check(aft_session_load(session, checkpoint));
  for (int i = 0; i < kLast; ++i)
    if (step(session) != first[i]) {
      fprintf(stderr, "train: from the checkpoint the loss is another\n");
      return 1;
    }
  printf("%lld steps, the last %d the same from %s\n", (long long)aft_session_steps(session),
         (int)kLast, checkpoint);
  aft_session_destroy(session);
  aft_close(model);
  return 0;
}
