/* Writes text with a language model that `char-lm save` made an artifact of:
 *
 *   generate MODEL.so PROMPT [BYTES [TEMPERATURE [SEED]]]
 *
 * The entry takes bytes and their positions and gives the logits of what follows; a
 * session carries the model's state from call to call, so that each byte costs the
 * same. A text longer than the model's context goes on from its last half. */

#include "aft/aft.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(aft_status status) {
  if (status == AFT_OK)
    return;
  fprintf(stderr, "generate: %s\n", aft_message());
  exit(1);
}

static void *allocate(size_t bytes) {
  void *memory = malloc(bytes ? bytes : 1);
  if (memory)
    return memory;
  fprintf(stderr, "generate: out of memory\n");
  exit(1);
}

typedef struct decoder {
  aft_session *session;
  int64_t vocabulary, context, length; /* length: of the text since the last reset */
  float *logits;
} decoder;

/* The most positions: the extent of the table of their embeddings. */
static int64_t contextOf(const aft_model *model) {
  for (size_t i = 0; i < aft_weight_count(model); ++i) {
    const char *name;
    aft_buffer value;
    check(aft_weight(model, i, &name, &value));
    if (strcmp(name, "positions") == 0 && value.rank == 2)
      return value.shape[0];
  }
  fprintf(stderr, "generate: the model has no weight 'positions'\n");
  exit(1);
}

/* One call of the entry with a chunk of text. */
static void advance(decoder *decoder, const char *text, int64_t count) {
  int64_t *ids = allocate(sizeof *ids * (size_t)count);
  int64_t *positions = allocate(sizeof *positions * (size_t)count);
  for (int64_t i = 0; i < count; ++i) {
    ids[i] = (unsigned char)text[i];
    positions[i] = decoder->length + i;
  }
  int64_t idShape[] = {1, count}, logitShape[] = {1, decoder->vocabulary};
  aft_buffer arguments[] = {{ids, AFT_I64, 2, idShape}, {positions, AFT_I64, 1, &count}};
  aft_buffer result = {decoder->logits, AFT_F32, 2, logitShape};
  check(aft_session_step(decoder->session, arguments, 2, &result, 1, NULL));
  decoder->length += count;
  free(ids);
  free(positions);
}

/* Takes in the last of `text`, which is all of it so far and has `length` bytes. */
static void feed(decoder *decoder, const char *text, int64_t length, int64_t fresh) {
  if (decoder->length + fresh > decoder->context) {
    check(aft_session_reset(decoder->session));
    decoder->length = 0;
    fresh = decoder->context / 2 < length ? decoder->context / 2 : length;
  }
  advance(decoder, text + length - fresh, fresh);
}

/* The likeliest byte, or with a temperature one by its probability. */
static int choose(const decoder *decoder, double temperature) {
  int64_t best = 0;
  for (int64_t i = 1; i < decoder->vocabulary; ++i)
    if (decoder->logits[i] > decoder->logits[best])
      best = i;
  if (temperature <= 0)
    return (int)best;
  double sum = 0, top = decoder->logits[best];
  for (int64_t i = 0; i < decoder->vocabulary; ++i)
    sum += exp((decoder->logits[i] - top) / temperature);
  double rest = (double)rand() / ((double)RAND_MAX + 1) * sum;
  for (int64_t i = 0; i < decoder->vocabulary; ++i)
    if ((rest -= exp((decoder->logits[i] - top) / temperature)) < 0)
      return (int)i;
  return (int)best;
}

int main(int argc, char **argv) {
  if (argc < 3 || argc > 6 || !*argv[2]) {
    fprintf(stderr, "usage: generate MODEL.so PROMPT [BYTES [TEMPERATURE [SEED]]]\n");
    return 2;
  }
  long bytes = argc > 3 ? atol(argv[3]) : 400;
  double temperature = argc > 4 ? atof(argv[4]) : 0.8;
  srand(argc > 5 ? (unsigned)atoi(argv[5]) : 1);
  aft_model *model = NULL;
  size_t entry;
  aft_value logits;
  decoder decoder = {NULL, 0, 0, 0, NULL};
  check(aft_open(argv[1], NULL, &model));
  check(aft_find_entry(model, NULL, &entry));
  check(aft_result(model, entry, 0, &logits));
  check(aft_session_create(model, entry, 1, &decoder.session));
  if (logits.dtype != AFT_F32 || logits.rank != 2 || logits.shape[1] < 1) {
    fprintf(stderr, "generate: expected logits f32 [?, vocabulary] as the first result\n");
    return 1;
  }
  decoder.vocabulary = logits.shape[1];
  decoder.context = contextOf(model);
  decoder.logits = allocate(sizeof(float) * (size_t)decoder.vocabulary);

  int64_t length = (int64_t)strlen(argv[2]);
  char *text = allocate((size_t)length + (size_t)(bytes > 0 ? bytes : 0));
  memcpy(text, argv[2], (size_t)length);
  feed(&decoder, text, length, length);
  for (long i = 0; i < bytes; ++i) {
    text[length++] = (char)choose(&decoder, temperature);
    putchar(text[length - 1]);
    fflush(stdout);
    feed(&decoder, text, length, 1);
  }
  putchar('\n');
  free(text);
  free(decoder.logits);
  aft_session_destroy(decoder.session);
  aft_close(model);
  return 0;
}
