//===- Ptxas.cpp - From PTX to code for one GPU ---------------------------===//

#include "compiler/binary/Ptxas.h"

#include "compiler/binary/ExternalProgram.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"

#include <cstdlib>

using namespace aft;

static constexpr const char *kVariable = "AFT_PTXAS";
static constexpr llvm::StringLiteral kUsualFolder = "/usr/local/cuda/bin";

std::string aft::findPtxas(std::string &error) {
  // It may be empty: no ptxas is wanted.
  if (std::getenv(kVariable))
    return namedProgram(kVariable, error);
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char *folder = std::getenv(variable); folder && *folder)
      if (auto path = llvm::sys::findProgramByName("ptxas", {std::string(folder) + "/bin"}))
        return *path;
  if (auto path = llvm::sys::findProgramByName("ptxas"))
    return *path;
  auto path = llvm::sys::findProgramByName("ptxas", {kUsualFolder});
  return path ? *path : "";
}

std::string aft::ptxasMissing() {
  const char *named = std::getenv(kVariable);
  if (named && !*named)
    return "AFT_PTXAS is empty";
  return "no ptxas found in CUDA_HOME, CUDA_PATH, PATH and " + kUsualFolder.str();
}

std::string aft::ptxasIdentity() {
  std::string error, path = findPtxas(error);
  llvm::sys::fs::file_status status;
  if (path.empty() || llvm::sys::fs::status(path, status))
    return "none" + error;
  return path + " " + std::to_string(status.getSize()) + " " +
         std::to_string(status.getLastModificationTime().time_since_epoch().count());
}

/// The kernel whose code has a line of the PTX, counted from 1.
static std::string kernelAt(llvm::StringRef ptx, unsigned line) {
  std::string kernel;
  for (unsigned number = 1; number <= line && !ptx.empty(); ++number) {
    llvm::StringRef text;
    std::tie(text, ptx) = ptx.split('\n');
    if (auto [before, entry] = text.split(".entry "); !entry.empty())
      kernel = entry.take_until([](char c) { return c == '(' || c == ' '; }).str();
  }
  return kernel;
}

/// What ptxas complains of, by kernel; empty where it says so in another form.
static std::string complaints(llvm::StringRef said, llvm::StringRef ptx) {
  constexpr int most = 3;
  int count = 0;
  std::string text;
  for (llvm::StringRef line : llvm::split(said, '\n')) {
    // "ptxas FILE, line 7; error   : Unknown symbol 'q'"
    auto [place, message] = line.split("; error");
    unsigned number;
    if (message.empty() || place.rsplit(' ').second.getAsInteger(10, number) || ++count > most)
      continue;
    text += std::string(text.empty() ? "" : "\n") + "kernel '" + kernelAt(ptx, number) +
            "', line " + std::to_string(number) + " of the PTX: " + message.ltrim(" :").str();
  }
  if (count > most)
    text += "\nand " + std::to_string(count - most) + " more";
  return text;
}

/// Takes the numbers of registers out of what `ptxas -v` says.
static void noteRegisters(llvm::StringRef said, DeviceCode &code) {
  DeviceKernel *kernel = nullptr;
  for (llvm::StringRef line : llvm::split(said, '\n')) {
    if (auto [before, rest] = line.split("Compiling entry function '"); !rest.empty()) {
      llvm::StringRef name = rest.take_until([](char c) { return c == '\''; });
      auto found =
          llvm::find_if(code.kernels, [&](const DeviceKernel &k) { return k.name == name; });
      kernel = found == code.kernels.end() ? nullptr : &*found;
    } else if (auto [before, rest] = line.split("Used "); kernel && !rest.empty()) {
      rest.consumeInteger(10, kernel->registers);
      kernel = nullptr;
    }
  }
}

std::string aft::assembleDevice(DeviceCode &code) {
  std::string error, said, ptxas = findPtxas(error);
  if (ptxas.empty())
    return error;
  TemporaryFolder folder;
  if (!folder.error.empty())
    return folder.error;
  if (!folder.write("device.ptx", code.ptx, error))
    return error;
  if (!runProgram(
          ptxas,
          {"-v", "-arch=" + code.gpu, "-o", folder.file("device.cubin"), folder.file("device.ptx")},
          folder, said, error)) {
    std::string text = complaints(said, code.ptx);
    return "ptxas makes no code for " + code.gpu + ": " + (text.empty() ? error : text) +
           "\nAFT_PTXAS names another ptxas, or is empty for PTX alone";
  }
  code.cubin = folder.read("device.cubin");
  noteRegisters(said, code);
  return code.cubin.empty() ? ptxas + " wrote nothing" : "";
}
