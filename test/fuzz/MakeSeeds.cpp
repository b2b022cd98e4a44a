//===- MakeSeeds.cpp - Files for the fuzz targets to begin with -----------===//
// Small files of all formats, as the project writes them: FOLDER/TARGET/….

#include "Target.h"

#include "runtime/artifact/ArtifactFile.h"
#include "runtime/artifact/CpuFeatures.h"
#include "runtime/artifact/Sha256.h"
#include "runtime/core/Npy.h"
#include "runtime/jit/Package.h"

#include <cstring>
#include <elf.h>
#include <filesystem>
#include <fstream>

using namespace aft;
using namespace aft::fuzz;
namespace fs = std::filesystem;

static fs::path root;

static void put(const std::string &target, const std::string &name, const std::string &bytes) {
  fs::create_directories(root / target);
  std::ofstream file(root / target / name, std::ios::binary | std::ios::trunc);
  file << bytes;
  promise(file.good(), "seeds can be written");
}

static const float kNumbers[8] = {1, 2, 3, 4, 5, 6, 7, 8};

static std::vector<NamedTensor> tensors() {
  void *data = const_cast<float *>(kNumbers);
  return {{"w", {data, DType::f32, {8}}},
          {"layer.0.bias", {data, DType::bf16, {2, 2}}},
          {"count", {data, DType::i64, {}}},
          {"empty", {data, DType::f64, {0, 3}}}};
}

static std::string
safetensors(const std::vector<std::pair<std::string, std::string>> &metadata = {}) {
  std::vector<NamedTensor> all = tensors();
  std::string bytes = safetensorsHeader(all, metadata);
  for (const NamedTensor &tensor : all)
    bytes.append(static_cast<const char *>(tensor.value.data), bytesOf(tensor.value));
  return bytes;
}

/// The least that the linker could have made: no code at all.
static std::string linked() {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_DYN;
#if defined(__aarch64__)
  header.e_machine = EM_AARCH64;
#else
  header.e_machine = EM_X86_64;
#endif
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 2;
  header.e_shstrndx = 1;
  header.e_shoff = sizeof header;
  Elf64_Shdr sections[2]{};
  std::string names = std::string("\0.shstrtab\0", 11);
  sections[1].sh_name = 1;
  sections[1].sh_type = SHT_STRTAB;
  sections[1].sh_offset = sizeof header + sizeof sections;
  sections[1].sh_size = names.size();
  return std::string(reinterpret_cast<char *>(&header), sizeof header) +
         std::string(reinterpret_cast<char *>(sections), sizeof sections) + names;
}

static ManifestValue value(const std::string &name, TensorType type,
                           ArgumentRole role = ArgumentRole::Caller, int partner = -1) {
  ManifestValue result;
  result.info.name = name;
  result.info.type = std::move(type);
  result.role = role;
  result.partner = partner;
  return result;
}

static Manifest manifest(bool withWeights) {
  Manifest manifest;
  manifest.compiler = "0.1.0";
  manifest.llvm = "19.1.7";
  manifest.arch = cpuArchitecture();
  manifest.cpu = "generic";
  manifest.codeId.assign(64, '1');
  manifest.codeSha256.assign(64, '2');
  manifest.codeBytes = 1;
  manifest.checks = {"dimension 0 of argument 1 ('h') must equal dimension 0 of argument 0 ('x')"};
  manifest.kernels = {{"kernel_0_elementwise", {{2, 4}, {1, 8}}}};
  manifest.launches = 3;
  ManifestEntry entry{"main", {}, {}};
  ManifestValue x = value("x", {DType::f32, {kDynamic, 8}});
  x.info.limits = {{1, 64}, {8, 8}};
  entry.arguments = {x, value("h", {DType::bf16, {kDynamic, 8}}, ArgumentRole::State, 1),
                     value("step", {DType::i64, {}}, ArgumentRole::Step)};
  entry.results = {value("y", {DType::f32, {kDynamic, 8}}),
                   value("h", {DType::bf16, {kDynamic, 8}}, ArgumentRole::State, 1)};
  entry.results[1].info.alias = 1;
  if (withWeights) {
    entry.arguments.push_back(value("w", {DType::f32, {8}}, ArgumentRole::Weight));
    entry.arguments.back().tensor = "w";
    std::string weights = safetensors();
    manifest.weights.bytes = static_cast<int64_t>(weights.size());
    manifest.weights.sha256 = Sha256::hexOf(weights);
  }
  manifest.entries = {entry};
  return manifest;
}

/// Of a program with a kernel for a GPU.
static ManifestDevice deviceOf(const std::string &cubin, const std::string &ptx) {
  ManifestDevice device;
  device.images = {{false, "sm_90a", static_cast<int64_t>(cubin.size())},
                   {true, "sm_90", static_cast<int64_t>(ptx.size())}};
  device.kernels = {{"kernel_0_elementwise", 128, 2, 3, 0, {"layers.0", "model.mlir:1:2"}}};
  device.kernels[0].registers = 32;
  device.bytes = static_cast<int64_t>(cubin.size() + ptx.size());
  device.sha256 = Sha256::hexOf(cubin + ptx);
  return device;
}

static void putArtifacts() {
  for (std::string name : {"plain", "weights", "device"}) {
    bool withDevice = name == "device";
    std::string weights = name == "plain" ? "" : safetensors(),
                device = withDevice ? "cubin// PTX" : "";
    Manifest described = manifest(!weights.empty());
    if (withDevice)
      described.device = deviceOf("cubin", "// PTX");
    ArtifactParts parts;
    Status status = composeArtifact(linked(), described, device, weights, parts);
    promise(status.ok(), status.message.c_str());
    std::string bytes = parts.front + std::string(parts.weights) + parts.back,
                text = described.print();
    InputFile file;
    VerifiedArtifact artifact;
    Failure failure = readArtifact(file.put(bytes), {}, /*anyCPU=*/true, artifact);
    promise(failure.ok(), failure.message.c_str());
    put("artifact", name, bytes);
    put("manifest", name, text);
    put("json", name, text);
  }
}

static void putArrays() {
  for (DType dtype : {DType::f32, DType::f64, DType::i1, DType::i8, DType::i32, DType::i64}) {
    Array array;
    std::vector<int64_t> shape = {2, 3};
    if (dtype == DType::f64)
      shape.clear();
    Status status = makeArray(dtype, shape, array);
    fs::create_directories(root / "npy");
    if (status.ok())
      status = writeNpy(root / "npy" / nameOf(dtype), array);
    promise(status.ok(), status.message.c_str());
  }
}

static void putPackage() {
  Package package;
  package.entries = {{"main", {{"x", {DType::bf16, {kDynamic, 8}}, -1}}, {{"", {}, 0}}}};
  package.checks = {"a check"};
  package.objects = {{"host", std::string("\0ELF", 4)}};
  package.kernels = {{"add", {{2, 4}, {0, 8}}}, {"empty", {}}};
  package.launches = 5;
  package.device.cubins = {{"sm_90a", std::string("\0cubin", 6)}};
  package.device.ptx = {"sm_90", "// PTX"};
  package.device.kernels = {{"add", 128, 2, 3, 0, {"layers.0"}}};
  put("cache", "package", package.serialize());
  put("cache", "empty", Package().serialize());
}

/// The programs of a folder's tests, which have several in a file: each as a file.
static void putPrograms(const fs::path &folder) {
  for (const auto &entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".mlir")
      continue;
    std::ifstream file(entry.path());
    std::string program;
    unsigned count = 0;
    auto end = [&] {
      put("program", entry.path().stem().string() + std::to_string(count++), program);
    };
    for (std::string line; std::getline(file, line);) {
      if (line.rfind("// -----", 0) == 0) {
        end();
        program.clear();
      } else {
        program += line + '\n';
      }
    }
    end();
  }
}

int main(int argc, char **argv) {
  if (argc < 2)
    return std::fprintf(stderr, "usage: %s FOLDER [FOLDER-OF-PROGRAMS...]\n", argv[0]), 2;
  root = argv[1];
  for (int i = 2; i < argc; ++i)
    putPrograms(argv[i]);
  putArtifacts();
  putArrays();
  putPackage();
  put("safetensors", "tensors", safetensors());
  put("safetensors", "metadata", safetensors({{"steps", "3"}, {"seed", "-1"}}));
  put("json", "values",
      R"([null, true, false, -0, 12.5e-3, "a\u00e9\ud83d\ude00\n", {}, [], )"
      R"({"a": {"b": [1, 2]}, "c": ""}])");
  put("json", "python", "[NaN, Infinity, -Infinity, 123456789012345678901234567890]");
  return 0;
}
