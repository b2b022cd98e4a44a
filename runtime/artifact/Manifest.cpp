//===- Manifest.cpp - Writes what an artifact says of itself --------------===//

#include "runtime/artifact/ManifestNames.h"

using namespace aft;

std::string aft::typeText(DType dtype, const std::vector<int64_t> &shape) {
  std::string text = std::string(nameOf(dtype)) + " [";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + (shape[i] == kDynamic ? std::string("?") : std::to_string(shape[i]));
  return text + "]";
}

static Json toJson(const ManifestValue &value, bool isResult) {
  Json shape = Json::array(), json = Json::object();
  for (int64_t extent : value.info.type.shape)
    shape.items.push_back(extent == kDynamic ? Json("?") : Json(extent));
  json.members = {{"name", value.info.name},
                  {"dtype", nameOf(value.info.type.dtype)},
                  {"shape", std::move(shape)},
                  {"role", kRoles[static_cast<int>(value.role)]}};
  if (value.partner >= 0)
    json.members.emplace_back(isResult ? "argument" : "result", value.partner);
  if (!value.tensor.empty())
    json.members.emplace_back("tensor", value.tensor);
  if (isResult && value.info.alias >= 0)
    json.members.emplace_back("overwrites", value.info.alias);
  if (!value.info.limits.empty()) {
    Json limits = Json::array();
    for (auto [least, most] : value.info.limits)
      limits.items.push_back(Json::array({least, most}));
    json.members.emplace_back("limits", std::move(limits));
  }
  return json;
}

static Json toJson(const std::vector<ManifestValue> &values, bool isResult) {
  Json json = Json::array();
  for (const ManifestValue &value : values)
    json.items.push_back(toJson(value, isResult));
  return json;
}

static Json texts(const std::vector<std::string> &values) {
  Json json = Json::array();
  for (const std::string &value : values)
    json.items.emplace_back(value);
  return json;
}

std::string ManifestDevice::architectures() const {
  std::string text;
  for (const Image &image : images)
    text += (text.empty() ? "" : ", ") + image.arch + (image.isPtx ? " (PTX)" : "");
  return text;
}

static Json toJson(const KernelInfo &kernel) {
  Json ranks = Json::array(), bytes = Json::array();
  for (const KernelInfo::Operand &operand : kernel.operands) {
    ranks.items.emplace_back(operand.rank);
    bytes.items.emplace_back(operand.elementBytes);
  }
  return Json::object(
      {{"name", kernel.name}, {"ranks", std::move(ranks)}, {"elementBytes", std::move(bytes)}});
}

static Json toJson(const cuda::ProductCode &product) {
  Json json =
      Json::object({{"type", nameOf(product.type)},
                    {"resultType", nameOf(product.result)},
                    {"transposed", Json::array({product.transposedA, product.transposedB})}});
  for (auto [name, number] : kProductNumbers)
    if (product.*number >= 0)
      json.members.emplace_back(name, product.*number);
  if (product.gelu)
    json.members.emplace_back("gelu", true);
  if (product.tf32)
    json.members.emplace_back("tf32", true);
  return json;
}

static Json toJson(const cuda::ColumnSumsCode &sums) {
  return Json::object({{"type", nameOf(sums.type)},
                       {"resultType", nameOf(sums.result)},
                       {"matrix", sums.matrix},
                       {"sums", sums.sums},
                       {"rows", sums.rows},
                       {"columns", sums.columns}});
}

static Json toJson(const cuda::KernelCode &kernel) {
  Json json = Json::object({{"name", kernel.name},
                            {"threads", kernel.threads},
                            {"buffers", kernel.buffers},
                            {"extents", kernel.extents},
                            {"sharedBytes", kernel.sharedBytes},
                            {"staticSharedBytes", kernel.staticSharedBytes}});
  if (kernel.registers > 0)
    json.members.emplace_back("registers", kernel.registers);
  json.members.emplace_back("places", texts(kernel.places));
  if (kernel.product)
    json.members.emplace_back("product", toJson(*kernel.product));
  if (kernel.columnSums)
    json.members.emplace_back("columnSums", toJson(*kernel.columnSums));
  return json;
}

static Json toJson(const ManifestDevice &device) {
  Json images = Json::array(), kernels = Json::array();
  for (const ManifestDevice::Image &image : device.images)
    images.items.push_back(Json::object(
        {{"kind", image.isPtx ? "ptx" : "cubin"}, {"arch", image.arch}, {"bytes", image.bytes}}));
  for (const cuda::KernelCode &kernel : device.kernels)
    kernels.items.push_back(toJson(kernel));
  return Json::object({{"target", "cuda"},
                       {"images", std::move(images)},
                       {"kernels", std::move(kernels)},
                       {"bytes", device.bytes},
                       {"sha256", device.sha256}});
}

std::string Manifest::print() const {
  Json all = Json::array(), bodies = Json::array();
  for (const ManifestEntry &entry : entries)
    all.items.push_back(Json::object({{"name", entry.name},
                                      {"arguments", toJson(entry.arguments, false)},
                                      {"results", toJson(entry.results, true)}}));
  for (const KernelInfo &kernel : kernels)
    bodies.items.push_back(toJson(kernel));
  Json place = weights.bytes == 0 ? Json() : Json(weights.file.empty() ? "inside" : "beside");
  Json stored = Json::object({{"place", place}, {"bytes", weights.bytes}});
  if (!weights.file.empty())
    stored.members.emplace_back("file", weights.file);
  if (weights.bytes > 0)
    stored.members.emplace_back("sha256", weights.sha256);
  Json json = Json::object(
      {{"format", format},
       {"compiler", Json::object({{"version", compiler}, {"llvm", llvm}})},
       {"cpu", Json::object({{"arch", arch}, {"name", cpu}, {"features", texts(features)}})},
       {"options", options},
       {"entries", std::move(all)},
       {"checks", texts(checks)},
       {"kernels", std::move(bodies)},
       {"launches", launches},
       {"steps", steps},
       {"code", Json::object({{"id", codeId}, {"bytes", codeBytes}, {"sha256", codeSha256}})},
       {"weights", std::move(stored)}});
  if (!device.images.empty())
    json.members.emplace_back("device", toJson(device));
  return json.print();
}
