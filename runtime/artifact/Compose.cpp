//===- Compose.cpp - From linked code to an artifact's bytes --------------===//

#include "runtime/artifact/ArtifactFile.h"
#include "runtime/artifact/Sha256.h"

#include <cstring>
#include <elf.h>

using namespace aft;

static constexpr size_t kPage = 4096;
/// ELF counts sections in 16 bits and keeps some numbers for itself.
static constexpr size_t kMostSections = 0xFF00;

namespace {

/// The section headers of what the linker made.
struct Linked {
  Elf64_Ehdr header;
  std::vector<Elf64_Shdr> sections;
  std::string names;
};

} // namespace

static Status readLinked(const std::string &bytes, Linked &linked) {
  auto inside = [&](uint64_t offset, uint64_t size) {
    return offset <= bytes.size() && size <= bytes.size() - offset;
  };
  if (bytes.size() < sizeof linked.header)
    return {"the linker wrote no ELF file"};
  std::memcpy(&linked.header, bytes.data(), sizeof linked.header);
  const Elf64_Ehdr &header = linked.header;
  size_t count = header.e_shnum;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_shentsize != sizeof(Elf64_Shdr) || count == 0 || count + 3 > kMostSections ||
      header.e_shstrndx >= count || !inside(header.e_shoff, count * sizeof(Elf64_Shdr)))
    return {"the linker wrote no 64-bit ELF file with sections"};
  linked.sections.resize(count);
  std::memcpy(linked.sections.data(), bytes.data() + header.e_shoff, count * sizeof(Elf64_Shdr));
  const Elf64_Shdr &names = linked.sections[header.e_shstrndx];
  if (!inside(names.sh_offset, names.sh_size))
    return {"the linker wrote an ELF file whose sections have no names"};
  linked.names = bytes.substr(names.sh_offset, names.sh_size);
  return {};
}

static void pad(std::string &bytes, size_t alignment) {
  bytes.append((alignment - bytes.size() % alignment) % alignment, '\0');
}

static void addSection(Linked &linked, const char *name, size_t offset, size_t size,
                       size_t alignment) {
  Elf64_Shdr section{};
  section.sh_name = static_cast<Elf64_Word>(linked.names.size());
  section.sh_type = SHT_PROGBITS;
  section.sh_offset = offset;
  section.sh_size = size;
  section.sh_addralign = alignment;
  linked.names += std::string(name) + '\0';
  linked.sections.push_back(section);
}

/// The names and headers of the sections, for the end of the file.
static std::string sectionTable(Linked &linked, size_t offset) {
  std::string bytes(linked.names);
  Elf64_Shdr &names = linked.sections[linked.header.e_shstrndx];
  names.sh_offset = offset;
  names.sh_size = linked.names.size();
  while ((offset + bytes.size()) % alignof(Elf64_Shdr) != 0)
    bytes += '\0';
  return bytes.append(reinterpret_cast<const char *>(linked.sections.data()),
                      linked.sections.size() * sizeof(Elf64_Shdr));
}

Status aft::composeArtifact(std::string code, Manifest manifest, std::string_view device,
                            std::string_view weights, ArtifactParts &parts) {
  Linked linked;
  if (Status status = readLinked(code, linked); !status.ok())
    return status;
  pad(code, 16);
  manifest.format = device.empty() ? kOldestArtifactFormat : kArtifactFormat;
  Seal seal;
  seal.format = static_cast<uint32_t>(manifest.format);
  seal.codeBytes = code.size();
  manifest.codeBytes = static_cast<int64_t>(code.size());
  manifest.codeSha256.assign(64, '0');
  // The length does not depend on the hash, and the hash depends on the length.
  size_t manifestSize = manifest.print().size();
  size_t sealOffset = (code.size() + manifestSize + 15) / 16 * 16;
  size_t deviceOffset = sealOffset + sizeof seal, weightsOffset = deviceOffset + device.size();
  addSection(linked, kManifestSection, code.size(), manifestSize, 1);
  addSection(linked, kSealSection, sealOffset, sizeof seal, 16);
  if (!device.empty())
    addSection(linked, kDeviceSection, deviceOffset, device.size(), 16);
  if (!weights.empty()) {
    weightsOffset = (weightsOffset + kPage - 1) / kPage * kPage;
    addSection(linked, kWeightsSection, weightsOffset, weights.size(), kPage);
  }
  size_t backOffset = weightsOffset + weights.size();
  parts.back = sectionTable(linked, backOffset);
  size_t tableBytes = linked.sections.size() * sizeof(Elf64_Shdr);
  seal.fileBytes = backOffset + parts.back.size();
  linked.header.e_shoff = seal.fileBytes - tableBytes;
  linked.header.e_shnum = static_cast<Elf64_Half>(linked.sections.size());
  std::memcpy(code.data(), &linked.header, sizeof linked.header);
  manifest.codeSha256 = Sha256::hexOf(code);

  parts.front = std::move(code) + manifest.print();
  pad(parts.front, 16);
  parts.weights = weights;
  Sha256 hash;
  size_t digest = offsetof(Seal, digest);
  auto sealBytes = [&] { return std::string(reinterpret_cast<char *>(&seal), sizeof seal); };
  hash.add(std::string_view(parts.front).substr(seal.codeBytes));
  hash.add(sealBytes().substr(0, digest));
  std::string padding(weightsOffset - deviceOffset - device.size(), '\0');
  hash.add(padding);
  hash.add(parts.back);
  std::array<uint8_t, 32> result = hash.digest();
  std::memcpy(seal.digest, result.data(), result.size());
  parts.front.append(sealBytes()).append(device).append(padding);
  return {};
}
