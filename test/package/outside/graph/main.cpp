// Builds y = x + x, compiles it and runs it; and runs the artifact of the same.
#include <aft/graph.h>
#include <cstdio>

static int run(const aft::Program &program) {
  float x[] = {1, 2, 3}, y[3] = {};
  aft::Status status =
      program.run("main", {{x, aft::DType::f32, {3}}}, {{y, aft::DType::f32, {3}}});
  if (!status.ok())
    return std::fprintf(stderr, "%s\n", status.message.c_str()), 1;
  std::printf("%g %g %g\n", y[0], y[1], y[2]);
  return 0;
}

int main(int, char **arguments) {
  aft::Graph graph;
  aft::Function &f = graph.function("main");
  aft::Value x = f.input("x", {aft::DType::f32, {aft::kDynamic}});
  f.output(f.add(x, x), "y");
  std::shared_ptr<aft::Program> program, loaded;
  aft::Status status = graph.compile({}, program);
  if (status.ok())
    status = aft::Program::load(arguments[1], {}, loaded);
  if (!status.ok())
    return std::fprintf(stderr, "%s\n", status.message.c_str()), 1;
  return run(*program) + run(*loaded);
}
