//===- Report.cpp - JSON and a table --------------------------------------===//

#include "frontends/torch/bench/Report.h"

#include <cstdio>

using namespace aft::bench;

namespace {

/// Writes the members of an object; no text here needs escapes.
class Json {
public:
  void add(const std::string &key, const std::string &value) { raw(key, '"' + value + '"'); }
  void add(const std::string &key, int64_t value) { raw(key, std::to_string(value)); }
  void add(const std::string &key, double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", value);
    raw(key, text);
  }
  void raw(const std::string &key, const std::string &value) {
    text += (text.empty() ? "{\"" : ", \"") + key + "\": " + value;
  }
  void print() const {
    std::printf("%s}\n", text.c_str());
    std::fflush(stdout);
  }

private:
  std::string text;
};

} // namespace

static void addSizes(Json &json, const Options &o) {
  json.add("op", o.op);
  json.add("pass", o.pass);
  json.add("batch", o.batch);
  json.add("length", o.length);
  json.add("dim", o.dim);
  if (o.isModel()) {
    json.add("mixer", o.mixer);
    json.add("layers", o.layers);
    json.add("vocab", o.vocab);
    json.add("rank", o.rank);
  }
  std::string mixer = o.mixerName();
  if (mixer == "conv")
    json.add("heads", o.heads);
  if (mixer == "conv" || mixer == "local")
    json.add("window", o.window);
  if (o.image)
    json.add("image", o.image);
  if (!o.grid.empty())
    json.raw("grid", "[" + std::to_string(o.grid[0]) + ", " + std::to_string(o.grid[1]) + "]");
  if (!mixer.empty())
    json.raw("causal", o.causal ? "true" : "false");
  json.add("dtype", o.dtype);
  json.add("target", o.target);
  json.add("f32_products", o.f32Products);
  json.add("threads", o.threads);
  json.add("repeat", o.repeat);
}

static double tokensPerSecond(const Options &o, double milliseconds) {
  return static_cast<double>(o.batch * o.length) / milliseconds * 1e3;
}

/// What does not depend on a timing.
static void addFacts(Json &json, const Options &o, const Subject &subject) {
  json.add("flops", subject.cost.flops);
  json.add("bytes", subject.cost.bytes);
  json.add("compile_ms", subject.compile.cold);
  json.add("cached_compile_ms", subject.compile.cached);
  json.add("compile_peak_rss_mb", subject.compile.peakMiB);
  if (o.isModel())
    json.add("capture_ms", subject.compile.capture);
  if (subject.shapes) {
    json.add("shapes", subject.shapes);
    json.add("recompilations", subject.recompilations);
  }
  json.add("scratch_bytes", subject.scratch);
  // Else a call also copies what it takes and gives, which ms includes.
  if (o.onGpu())
    json.raw("resident", subject.wait ? "true" : "false");
  json.add("max_error", subject.check.error);
  json.add("max_error_limit", subject.check.limit);
  json.add("checked_against", subject.check.against);
}

void aft::bench::announce(const Options &options, const Subject &subject) {
  Json json;
  addSizes(json, options);
  addFacts(json, options, subject);
  json.print();
}

static void printJson(const Options &o, const Subject &subject, const Measurement &m) {
  Json json;
  addSizes(json, o);
  json.add("ms", m.compiled.median);
  json.add("ms_min", m.compiled.least);
  json.add("ms_max", m.compiled.most);
  json.add("gflops", subject.cost.flops / m.compiled.median * 1e-6);
  json.add("gbps", subject.cost.bytes / m.compiled.median * 1e-6);
  addFacts(json, o, subject);
  json.add("peak_rss_mb", m.peakMiB);
  if (o.op == "train")
    json.add("tokens_per_s", tokensPerSecond(o, m.compiled.median));
  if (o.op == "decode")
    json.add("ms_per_token", m.compiled.median);
  if (o.op == "image")
    json.add("images_per_s", static_cast<double>(o.batch) / m.compiled.median * 1e3);
  if (o.eager()) {
    json.add("eager_ms", m.eager.median);
    json.add("eager_ms_min", m.eager.least);
    json.add("ratio", m.eager.median / m.compiled.median);
  }
  json.print();
}

/// What was measured, in a few words.
static std::string titleOf(const Options &o) {
  std::string title = o.op;
  if (o.isModel())
    title += " " + o.mixer + " x" + std::to_string(o.layers);
  std::string mixer = o.mixerName();
  if (mixer == "local" || mixer == "conv")
    title += "-" + std::to_string(o.window);
  if (!o.isModel())
    title += " " + o.pass + (o.causal ? " causal" : "");
  return title;
}

static std::string sizesOf(const Options &o) {
  std::string positions = std::to_string(o.length);
  if (!o.grid.empty())
    positions = std::to_string(o.grid[0]) + "x" + std::to_string(o.grid[1]);
  return std::to_string(o.batch) + ", " + positions + ", " + std::to_string(o.dim) + " " + o.dtype;
}

static void printRow(const Options &o, const Subject &subject, const Measurement &m) {
  std::printf("| %-24s | %-21s | %7s | %10s | %10s | %10s | %7s | %7s | %9s | "
              "%10s | %5s |\n",
              "op", "B, T, d", "threads", "ms", "min", "max", "GFLOP/s", "GB/s", "max error",
              "eager ms", "ratio");
  std::printf("|---|---|---|---|---|---|---|---|---|---|---|\n");
  std::printf("| %-24s | %-21s | %7lld | %10.4g | %10.4g | %10.4g | %7.4g | %7.4g | "
              "%9.2e |",
              titleOf(o).c_str(), sizesOf(o).c_str(), static_cast<long long>(o.threads),
              m.compiled.median, m.compiled.least, m.compiled.most,
              subject.cost.flops / m.compiled.median * 1e-6,
              subject.cost.bytes / m.compiled.median * 1e-6, subject.check.error);
  if (o.eager())
    std::printf(" %10.4g | %5.2f |\n", m.eager.median, m.eager.median / m.compiled.median);
  else
    std::printf(" %10s | %5s |\n", "", "");
  std::printf("\ncompile %.0f ms (peak memory %.0f MiB), from the cache %.1f ms; peak memory %.0f "
              "MiB; checked against %s",
              subject.compile.cold, subject.compile.peakMiB, subject.compile.cached, m.peakMiB,
              subject.check.against.c_str());
  if (o.op == "train")
    std::printf("; %.0f tokens/s", tokensPerSecond(o, m.compiled.median));
  std::printf("\n");
}

void aft::bench::report(const Options &options, const Subject &subject,
                        const Measurement &measurement) {
  if (options.json)
    printJson(options, subject, measurement);
  else
    printRow(options, subject, measurement);
}
