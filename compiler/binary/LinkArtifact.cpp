//===- LinkArtifact.cpp - From object files to a shared object ------------===//

#include "compiler/binary/LinkArtifact.h"

#include "aft/abi.h"
#include "compiler/binary/ExternalProgram.h"
#include "compiler/binary/Object.h"
#include "compiler/kernels/Interface.h"
#include "compiler/llvm/Symbols.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

#include <link.h>

using namespace aft;

//===----------------------------------------------------------------------===//
// The table of entries
//===----------------------------------------------------------------------===//

static llvm::GlobalVariable *addConstant(llvm::Module &module, llvm::Constant *value,
                                         const char *name, bool visible = false) {
  auto linkage = visible ? llvm::GlobalValue::ExternalLinkage : llvm::GlobalValue::PrivateLinkage;
  return new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true, linkage, value,
                                  name);
}

/// The object with aft_artifact_table.
static std::string tableObject(const std::vector<std::string> &entries, const std::string &codeId,
                               const Target &target, std::string &error) {
  llvm::LLVMContext context;
  llvm::Module module("aft_table", context);
  llvm::IRBuilder<> builder(context);
  auto *i32 = builder.getInt32Ty();
  auto *i64 = builder.getInt64Ty();
  auto *type = llvm::FunctionType::get(builder.getVoidTy(), false);
  std::vector<llvm::Constant *> rows;
  for (const std::string &entry : entries) {
    llvm::Constant *name =
        addConstant(module, llvm::ConstantDataArray::getString(context, entry), "name");
    auto *run =
        llvm::cast<llvm::Constant>(module.getOrInsertFunction(symbolOf(entry), type).getCallee());
    auto *plan = llvm::cast<llvm::Constant>(
        module.getOrInsertFunction(symbolOf(entry + planSuffix.str()), type).getCallee());
    rows.push_back(llvm::ConstantStruct::getAnon({name, run, plan}));
  }
  llvm::Constant *all =
      llvm::ConstantArray::get(llvm::ArrayType::get(rows.front()->getType(), rows.size()), rows);
  llvm::Constant *table = llvm::ConstantStruct::getAnon(
      {llvm::ConstantInt::get(i32, AFT_TABLE_MAGIC), llvm::ConstantInt::get(i32, AFT_ABI_VERSION),
       llvm::ConstantDataArray::getString(context, codeId, /*AddNull=*/false),
       llvm::ConstantInt::get(i64, rows.size()), addConstant(module, all, "entries")});
  addConstant(module, table, AFT_TABLE_SYMBOL, /*visible=*/true);
  return emitObject(module, target, error);
}

//===----------------------------------------------------------------------===//
// The linker
//===----------------------------------------------------------------------===//

/// The paths of libm and libc in this process: development packages may be missing.
static std::vector<std::string> systemLibraries() {
  std::vector<std::string> found;
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *result) {
        llvm::StringRef name = llvm::sys::path::filename(info->dlpi_name);
        if (name.starts_with("libm.so") || name.starts_with("libc.so"))
          static_cast<std::vector<std::string> *>(result)->push_back(info->dlpi_name);
        return 0;
      },
      &found);
  return found;
}

static std::string findLinker(std::string &error) {
  std::string named = namedProgram("AFT_LINKER", error);
  if (!named.empty() || !error.empty())
    return named;
  for (const char *name : {"ld.lld", "ld.lld-19", "ld"}) {
    if (auto path = llvm::sys::findProgramByName(name, {AFT_LLVM_TOOLS}))
      return *path;
    if (auto path = llvm::sys::findProgramByName(name))
      return *path;
  }
  error = "no linker found, expected ld.lld in " AFT_LLVM_TOOLS
          ", or ld.lld, ld.lld-19 or ld in PATH (Debian: package lld-19); AFT_LINKER names another";
  return "";
}

std::string aft::linkArtifact(const std::vector<NamedObject> &objects,
                              const std::vector<std::string> &entries, const std::string &codeId,
                              const Target &target, std::string &error) {
  std::string linker = findLinker(error);
  std::string table = error.empty() ? tableObject(entries, codeId, target, error) : "";
  TemporaryFolder folder;
  if (error.empty())
    error = folder.error;
  if (!error.empty())
    return "";
  // Nothing else of it is seen, or replaced by what the process has of the same name.
  std::vector<std::string> arguments = {"-shared",
                                        "--no-undefined",
                                        "-z",
                                        "now",
                                        "-z",
                                        "relro",
                                        "-z",
                                        "noexecstack",
                                        "--hash-style=gnu",
                                        "--build-id=none",
                                        "--version-script=" + folder.file("symbols"),
                                        "-o",
                                        folder.file("out.so")};
  if (!folder.write("symbols", "{ global: " AFT_TABLE_SYMBOL "; local: *; };\n", error) ||
      !folder.write("table.o", table, error))
    return "";
  arguments.push_back(folder.file("table.o"));
  for (size_t i = 0; i < objects.size(); ++i) {
    std::string name = std::to_string(i) + ".o";
    arguments.push_back(folder.file(name));
    if (!folder.write(name, objects[i].object, error))
      return "";
  }
  arguments.push_back("--as-needed");
  for (std::string &library : systemLibraries())
    arguments.push_back(std::move(library));
  std::string said;
  if (!runProgram(linker, arguments, folder, said, error))
    return "";
  std::string linked = folder.read("out.so");
  if (linked.empty())
    error = linker + " wrote nothing";
  return linked;
}
