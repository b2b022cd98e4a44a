/* Runs y = 2 x of an artifact on three numbers. */
#include <aft/aft.h>
#include <stdio.h>

int main(int count, char **arguments) {
  aft_model *model;
  if (count != 2 || aft_open(arguments[1], NULL, &model) != AFT_OK)
    return fprintf(stderr, "%s\n", aft_message()), 1;
  float x[3] = {1, 2, 3}, y[3] = {0};
  int64_t shape[] = {3};
  aft_buffer in = {x, AFT_F32, 1, shape}, out = {y, AFT_F32, 1, shape};
  if (aft_run(model, 0, &in, 1, &out, 1, NULL) != AFT_OK)
    return fprintf(stderr, "%s\n", aft_message()), 1;
  printf("%s: %g %g %g\n", aft_library_version(), y[0], y[1], y[2]);
  aft_close(model);
  return 0;
}
