//===- Timeline.cpp - Measured calls as a timeline ------------------------===//

#include "runtime/core/Timeline.h"

#include <cstdarg>
#include <cstdio>
#include <unistd.h>

using namespace aft;

void Timeline::add(Slice slice) {
  if (slices.size() < most)
    slices.push_back(slice);
  else
    ++dropped;
}

void Timeline::add(const RunRecord &run) {
  if (most == 0)
    return;
  auto intern = [&](const std::string &name) { return &*names.insert(name).first; };
  callers.insert(run.thread);
  add({run.start, run.end - run.start, 0, run.arenaBytes, intern(run.entry), run.thread,
       Kind::Entry});
  for (const RunRecord::Launch &launch : run.launches) {
    const std::string *name = intern(launch.name);
    add({launch.start, launch.end - launch.start, launch.groups, launch.bytes, name, run.thread,
         Kind::Launch});
    for (const RunRecord::Work &work : launch.work)
      add({work.start, work.end - work.start, work.groups, 0, name, work.thread, Kind::Work});
  }
}

/// Appends what printf would print.
__attribute__((format(printf, 2, 3))) static void print(std::string &text, const char *format,
                                                        ...) {
  char part[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(part, sizeof part, format, arguments);
  va_end(arguments);
  text += part;
}

static std::string quoted(const std::string &name) {
  std::string text = "\"";
  for (char c : name) {
    if (c == '"' || c == '\\')
      text += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      print(text, "\\u%04x", c);
    else
      text += c;
  }
  return text + '"';
}

void Timeline::append(const Slice &slice, std::string &text) const {
  static constexpr const char *kinds[] = {"entry", "launch", "work"};
  text += ",\n{\"ph\":\"X\",\"name\":" + quoted(*slice.name);
  // Microseconds.
  print(text, ",\"cat\":\"%s\",\"pid\":%d,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"args\":{",
        kinds[static_cast<int>(slice.kind)], getpid(), slice.thread,
        static_cast<double>(slice.start - origin) * 1e-3,
        static_cast<double>(slice.duration) * 1e-3);
  long long groups = slice.groups, bytes = slice.bytes;
  switch (slice.kind) {
  case Kind::Entry:
    print(text, "\"arena_bytes\":%lld}}", bytes);
    break;
  case Kind::Launch:
    print(text, "\"groups\":%lld,\"bytes\":%lld}}", groups, bytes);
    break;
  case Kind::Work:
    print(text, "\"groups\":%lld}}", groups);
    break;
  }
}

std::string Timeline::json() const {
  std::set<int> threads = callers;
  for (const Slice &slice : slices)
    threads.insert(slice.thread);
  std::string text =
      "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"dropped_slices\":" + std::to_string(dropped) +
      "},\"traceEvents\":[\n";
  print(text, "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%d,\"args\":{\"name\":\"aft\"}}",
        getpid());
  for (int thread : threads)
    print(text,
          ",\n{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%d,\"tid\":%d,"
          "\"args\":{\"name\":\"%s\"}}",
          getpid(), thread, callers.count(thread) ? "caller" : "worker");
  for (const Slice &slice : slices)
    append(slice, text);
  return text + "\n]}\n";
}
