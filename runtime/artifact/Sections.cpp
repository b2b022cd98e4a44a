//===- Sections.cpp - Finds an artifact's parts in its bytes --------------===//
// The file may be anything: each number of it is checked before it is used.

#include "runtime/artifact/ArtifactFile.h"
#include "runtime/artifact/Sha256.h"

#include <cstring>
#include <elf.h>

using namespace aft;

#if defined(__x86_64__)
static constexpr int kMachine = EM_X86_64;
#elif defined(__aarch64__)
static constexpr int kMachine = EM_AARCH64;
#else
static constexpr int kMachine = EM_NONE;
#endif

static Failure malformed(const std::string &message) { return {AFT_ERROR_FORMAT, message}; }

static std::string machineName(int machine) {
  switch (machine) {
  case EM_X86_64:
    return "x86-64";
  case EM_AARCH64:
    return "AArch64";
  case EM_386:
    return "x86 of 32 bits";
  case EM_RISCV:
    return "RISC-V";
  default:
    return "machine " + std::to_string(machine);
  }
}

/// The bytes [offset, offset + size) of a file, if it has them.
static bool part(std::string_view file, uint64_t offset, uint64_t size, std::string_view &result) {
  if (offset > file.size() || size > file.size() - offset)
    return false;
  result = file.substr(offset, size);
  return true;
}

static std::string spanText(uint64_t offset, uint64_t size, std::string_view file) {
  return std::to_string(size) + " bytes from byte " + std::to_string(offset) +
         " on, found a file of " + std::to_string(file.size()) + " bytes";
}

static Failure checkHeader(std::string_view file, Elf64_Ehdr &header) {
  size_t same = std::min<size_t>(file.size(), SELFMAG);
  if (file.empty() || std::memcmp(file.data(), ELFMAG, same) != 0)
    return malformed("expected an ELF shared object, found " +
                     std::string(file.empty() ? "an empty file" : "a file of another kind"));
  if (file.size() < sizeof header)
    return malformed("truncated: expected an ELF header of " + std::to_string(sizeof header) +
                     " bytes, found a file of " + std::to_string(file.size()) + " bytes");
  std::memcpy(&header, file.data(), sizeof header);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB)
    return malformed("expected a 64-bit little-endian ELF file, found class " +
                     std::to_string(header.e_ident[EI_CLASS]) + " and byte order " +
                     std::to_string(header.e_ident[EI_DATA]));
  if (header.e_type != ET_DYN)
    return malformed("expected an ELF shared object (type 3), found an ELF file of type " +
                     std::to_string(header.e_type));
  if (header.e_machine != kMachine)
    return {AFT_ERROR_CPU, "expected code for " + machineName(kMachine) + ", found code for " +
                               machineName(header.e_machine)};
  return {};
}

namespace {
/// A section by its name.
struct Found {
  const char *name;
  bool there;
  uint64_t offset;
  std::string_view bytes;
};
} // namespace

/// Fills in those of the wanted sections that are there.
static Failure findAll(std::string_view file, const Elf64_Ehdr &header, Found *wanted,
                       size_t count) {
  std::string_view table, names;
  uint64_t tableBytes = uint64_t(header.e_shnum) * sizeof(Elf64_Shdr);
  if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum == 0)
    return malformed("not an artifact: an ELF shared object without section headers");
  if (!part(file, header.e_shoff, tableBytes, table))
    return malformed("truncated: expected section headers of " +
                     spanText(header.e_shoff, tableBytes, file));
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), table.data(), tableBytes);
  if (header.e_shstrndx >= sections.size() || !part(file, sections[header.e_shstrndx].sh_offset,
                                                    sections[header.e_shstrndx].sh_size, names))
    return malformed("damaged: the names of the sections lie outside the file");
  for (const Elf64_Shdr &section : sections) {
    if (section.sh_name >= names.size())
      return malformed("damaged: the name of a section lies outside of their names");
    std::string_view name = names.substr(section.sh_name);
    name = name.substr(0, name.find('\0'));
    for (Found *found = wanted; found != wanted + count; ++found) {
      if (name != found->name)
        continue;
      if (found->there)
        return malformed("damaged: expected one section " + std::string(name) + ", found two");
      if (section.sh_type == SHT_NOBITS ||
          !part(file, section.sh_offset, section.sh_size, found->bytes))
        return malformed("damaged: expected section " + std::string(name) + " of " +
                         spanText(section.sh_offset, section.sh_size, file));
      found->there = true;
      found->offset = section.sh_offset;
    }
  }
  return {};
}

/// Whether [offset, offset + size) comes after `at`, which then is its end.
static bool follows(uint64_t &at, uint64_t offset, uint64_t size) {
  bool good = offset >= at;
  at = offset + size;
  return good;
}

Failure aft::findSections(std::string_view file, ArtifactSections &sections) {
  Elf64_Ehdr header;
  if (Failure failure = checkHeader(file, header); !failure.ok())
    return failure;
  Found found[] = {{kManifestSection, false, 0, {}},
                   {kSealSection, false, 0, {}},
                   {kDeviceSection, false, 0, {}},
                   {kWeightsSection, false, 0, {}}};
  if (Failure failure = findAll(file, header, found, 4); !failure.ok())
    return failure;
  auto &[manifest, seal, device, weights] = found;
  if (!seal.there || !manifest.there)
    return malformed("not an artifact: an ELF shared object without a section " +
                     std::string(seal.there ? kManifestSection : kSealSection));
  if (seal.bytes.size() < sizeof(Seal) || std::memcmp(seal.bytes.data(), Seal().magic, 8) != 0)
    return malformed("damaged: the section .aft.seal does not begin with AFTSEAL");
  std::memcpy(&sections.seal, seal.bytes.data(), sizeof(Seal));
  uint32_t format = sections.seal.format;
  if (format < kOldestArtifactFormat || format > kArtifactFormat)
    return {AFT_ERROR_VERSION,
            "expected an artifact of format " + std::to_string(kOldestArtifactFormat) +
                (kOldestArtifactFormat < kArtifactFormat ? " to " + std::to_string(kArtifactFormat)
                                                         : "") +
                ", found format " + std::to_string(format) +
                (format > kArtifactFormat ? ", which a newer compiler wrote: use its runtime"
                                          : ", which is too old: compile the model again")};
  if (sections.seal.fileBytes != file.size())
    return malformed("expected a file of " + std::to_string(sections.seal.fileBytes) +
                     " bytes, as its seal says, found " + std::to_string(file.size()) + " bytes");
  uint64_t at = sections.seal.codeBytes, tableBytes = uint64_t(header.e_shnum) * sizeof(Elf64_Shdr);
  bool ordered = at <= file.size() && follows(at, manifest.offset, manifest.bytes.size()) &&
                 seal.bytes.size() == sizeof(Seal) && follows(at, seal.offset, sizeof(Seal)) &&
                 (!device.there || follows(at, device.offset, device.bytes.size())) &&
                 (!weights.there || follows(at, weights.offset, weights.bytes.size())) &&
                 follows(at, header.e_shoff, tableBytes);
  if (!ordered)
    return malformed("damaged: its sections are not in the order of an artifact");
  sections.code = file.substr(0, sections.seal.codeBytes);
  sections.manifest = manifest.bytes;
  sections.device = device.bytes;
  sections.weights = weights.bytes;
  sections.sealOffset = seal.offset;
  std::array<uint8_t, 32> digest = sealDigest(file, sections);
  if (std::memcmp(digest.data(), sections.seal.digest, digest.size()) != 0)
    return malformed("damaged: the hash of manifest and section headers is not that of its seal");
  return {};
}

std::array<uint8_t, 32> aft::sealDigest(std::string_view file, const ArtifactSections &sections) {
  size_t digest = sections.sealOffset + offsetof(Seal, digest);
  size_t after = sections.sealOffset + sizeof(Seal);
  Sha256 hash;
  hash.add(file.substr(sections.code.size(), digest - sections.code.size()));
  for (std::string_view part : {sections.device, sections.weights}) {
    if (part.empty())
      continue;
    size_t begin = static_cast<size_t>(part.data() - file.data());
    hash.add(file.substr(after, begin - after));
    after = begin + part.size();
  }
  hash.add(file.substr(after));
  return hash.digest();
}
