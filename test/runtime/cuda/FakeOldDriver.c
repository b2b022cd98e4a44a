/*===- FakeOldDriver.c - A driver before the functions that are needed -----===*/

int cuDriverGetVersion(int *version);
int cuDriverGetVersion(int *version) {
  *version = 11040;
  return 0;
}
