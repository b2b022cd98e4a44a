//===- CompileReport.cpp - What a compilation did, and why ----------------===//

#include "compiler/report/CompileReport.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <tuple>

using namespace mlir;
using namespace aft;

using llvm::json::Array;
using llvm::json::Object;

/// Places listed per remark; the count tells of the others.
static constexpr size_t kPlacesShown = 24;

void CompileReport::add(Remark remark) {
  std::lock_guard<std::mutex> lock(mutex);
  remarks.push_back(std::move(remark));
}

CompileReport::Entry &CompileReport::entry(StringRef name) {
  for (Entry &entry : entries)
    if (entry.name == name)
      return entry;
  entries.push_back({name.str(), {}, {}, {}, {}, {}});
  return entries.back();
}

static void collectPlaces(Location location, std::vector<std::string> &places) {
  std::string place;
  if (auto file = dyn_cast<FileLineColLoc>(location)) {
    place = file.getFilename().str();
    if (file.getLine() > 0)
      place += ":" + std::to_string(file.getLine()) + ":" + std::to_string(file.getColumn());
  } else if (auto name = dyn_cast<NameLoc>(location)) {
    place = name.getName().str();
  } else if (auto fused = dyn_cast<FusedLoc>(location)) {
    for (Location part : fused.getLocations())
      collectPlaces(part, places);
  } else if (auto call = dyn_cast<CallSiteLoc>(location)) {
    collectPlaces(call.getCallee(), places);
  }
  if (!place.empty() && !llvm::is_contained(places, place))
    places.push_back(place);
}

std::vector<std::string> aft::placesOf(Location location) {
  std::vector<std::string> places;
  collectPlaces(location, places);
  return places;
}

static Object timeToJSON(const CompileReport::Time &time) {
  return Object{{"name", time.name}, {"ms", time.milliseconds}, {"runs", time.runs}};
}

static Array phasesToJSON(ArrayRef<CompileReport::Phase> phases) {
  Array list;
  for (const CompileReport::Phase &phase : phases) {
    Array passes;
    for (const CompileReport::Time &pass : phase.passes)
      passes.push_back(timeToJSON(pass));
    list.push_back(
        Object{{"name", phase.name}, {"ms", phase.milliseconds}, {"passes", std::move(passes)}});
  }
  return list;
}

static Array remarksToJSON(ArrayRef<CompileReport::Remark> remarks) {
  struct Group {
    int64_t count = 0;
    std::vector<std::string> places;
  };
  using Key = std::tuple<std::string, bool, std::string, std::string, std::string>;
  std::map<Key, Group> groups;
  for (const CompileReport::Remark &remark : remarks) {
    Group &group =
        groups[{remark.pass, !remark.fused, remark.reason, remark.producer, remark.consumer}];
    ++group.count;
    group.places.push_back(remark.producerPlace == remark.consumerPlace
                               ? remark.consumerPlace
                               : remark.producerPlace + " -> " + remark.consumerPlace);
  }
  Array list;
  for (auto &[key, group] : groups) {
    const auto &[pass, missed, reason, producer, consumer] = key;
    // Functions are worked on in any order.
    llvm::sort(group.places);
    group.places.erase(std::unique(group.places.begin(), group.places.end()), group.places.end());
    if (group.places.size() > kPlacesShown)
      group.places.resize(kPlacesShown);
    list.push_back(Object{{"pass", pass},
                          {"fused", !missed},
                          {"reason", reason},
                          {"producer", producer},
                          {"consumer", consumer},
                          {"count", group.count},
                          {"places", Array(group.places)}});
  }
  return list;
}

static Object entryToJSON(const CompileReport::Entry &entry) {
  Array launches, buffers;
  for (const CompileReport::Launch &launch : entry.launches)
    launches.push_back(Object{{"kernel", launch.kernel},
                              {"flops", launch.flops.toJSON()},
                              {"bytes", launch.bytes.toJSON()},
                              {"places", Array(launch.places)}});
  for (const CompileReport::ArenaBuffer &buffer : entry.buffers)
    buffers.push_back(Object{{"first", buffer.first},
                             {"last", buffer.last},
                             {"offset", buffer.offset.toJSON()},
                             {"bytes", buffer.bytes.toJSON()},
                             {"type", buffer.type},
                             {"kernel", buffer.kernel},
                             {"places", Array(buffer.places)}});
  return Object{{"name", entry.name},
                {"extents", Array(entry.extents)},
                {"static", Array(entry.staticExtents)},
                {"arena", entry.arenaBytes.toJSON()},
                {"launches", std::move(launches)},
                {"buffers", std::move(buffers)}};
}

llvm::json::Object CompileReport::toJSON() const {
  // Here Object is that of the report.
  using JSONObject = llvm::json::Object;
  Array kernelList, objectList, entryList;
  for (const Kernel &kernel : kernels)
    kernelList.push_back(JSONObject{{"name", kernel.name}, {"kind", kernel.kind}});
  for (const Object &object : objects)
    objectList.push_back(
        JSONObject{{"name", object.name}, {"ms", object.milliseconds}, {"bytes", object.bytes}});
  for (const Entry &entry : entries)
    entryList.push_back(entryToJSON(entry));
  return JSONObject{{"phases", phasesToJSON(phases)},
                    {"objects", std::move(objectList)},
                    {"remarks", remarksToJSON(remarks)},
                    {"kernels", std::move(kernelList)},
                    {"entries", std::move(entryList)}};
}
