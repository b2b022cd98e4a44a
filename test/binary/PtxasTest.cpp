//===- PtxasTest.cpp - Finding ptxas, and what becomes of what it says ----===//

#include "compiler/binary/Ptxas.h"

#include "compiler/Register.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "runtime/PtxasHarness.h"
#include "test/TemporaryFolder.h"

#include <gmock/gmock.h>
#include <unistd.h>

using namespace aft;
using namespace aft::test;
using testing::HasSubstr;

namespace {

const char kPtx[] = ".version 8.0\n.target sm_90\n\n"
                    ".visible .entry first(\n)\n{\nret;\n}\n"
                    ".visible .entry second(\n)\n{\nmov.u32 q;\nret;\n}\n";

class PtxasTest : public ::testing::Test {
protected:
  std::string put(const std::string &name, const std::string &text = kFakePtxas) {
    writeProgram(folder + "/" + name, text);
    return folder + "/" + name;
  }
  static std::string found() {
    std::string error, path = findPtxas(error);
    EXPECT_EQ(error, "");
    return path;
  }
  static DeviceCode code() {
    return {"sm_90a", "sm_90", kPtx, "", {{"first", 128, {}}, {"second", 64, {}}}};
  }

  TemporaryFolder temporary;
  const std::string folder = temporary.path;
};

TEST_F(PtxasTest, IsFoundWhereItsVariableSays) {
  std::string named = put("mine/assembler"), home = put("home/bin/ptxas"),
              path = put("path/bin/ptxas"), inPath = put("programs/ptxas");
  Variable search("PATH", (folder + "/programs:/usr/bin:/bin").c_str());
  Variable cudaHome("CUDA_HOME", (folder + "/home").c_str());
  Variable cudaPath("CUDA_PATH", (folder + "/path").c_str());
  Variable own("AFT_PTXAS", named.c_str());
  EXPECT_EQ(found(), named);
  Variable none("AFT_PTXAS", "");
  EXPECT_EQ(found(), "");
  EXPECT_EQ(ptxasMissing(), "AFT_PTXAS is empty");
  EXPECT_EQ(ptxasIdentity(), "none");
  Variable unset("AFT_PTXAS", nullptr);
  EXPECT_EQ(found(), home);
  Variable noHome("CUDA_HOME", (folder + "/nowhere").c_str());
  EXPECT_EQ(found(), path);
  Variable noPath("CUDA_PATH", nullptr);
  EXPECT_EQ(found(), inPath);
  EXPECT_THAT(ptxasIdentity(), HasSubstr(inPath + " "));
}

TEST_F(PtxasTest, RefusesAVariableThatNamesNoProgram) {
  Variable own("AFT_PTXAS", "/nowhere/ptxas");
  DeviceCode device = code();
  EXPECT_EQ(assembleDevice(device), "AFT_PTXAS names '/nowhere/ptxas', which is no program");
}

TEST_F(PtxasTest, SaysWhereNoFilesCanBeMade) {
  Variable own("AFT_PTXAS", put("ptxas").c_str()), place("TMPDIR", "/nowhere/at/all");
  DeviceCode device = code();
  EXPECT_EQ(assembleDevice(device),
            "no folder for temporary files can be made in '/nowhere/at/all' "
            "(TMPDIR names another): No such file or directory");
}

TEST_F(PtxasTest, MakesACubinAndCountsRegisters) {
  Variable own("AFT_PTXAS", put("ptxas").c_str());
  DeviceCode device = code();
  EXPECT_EQ(assembleDevice(device), "");
  EXPECT_EQ(device.cubin, "cubin for sm_90a");
  EXPECT_EQ(device.kernels[0].registers, 17);
  EXPECT_EQ(device.kernels[1].registers, 17);
}

TEST_F(PtxasTest, IsNotNeeded) {
  Variable own("AFT_PTXAS", "");
  DeviceCode device = code();
  EXPECT_EQ(assembleDevice(device), "");
  EXPECT_EQ(device.cubin, "");
}

TEST_F(PtxasTest, NamesTheKernelThatItRefuses) {
  std::string program =
      put("ptxas", "echo \"ptxas $5, line 12; error   : Unknown symbol 'q'\" >&2\n"
                   "echo 'ptxas fatal   : Ptx assembly aborted due to errors' >&2\nexit 255\n");
  Variable own("AFT_PTXAS", program.c_str());
  DeviceCode device = code();
  EXPECT_EQ(assembleDevice(device),
            "ptxas makes no code for sm_90a: kernel 'second', line 12 of the PTX: Unknown symbol "
            "'q'\nAFT_PTXAS names another ptxas, or is empty for PTX alone");
  put("ptxas", "echo \"ptxas fatal   : Value 'sm_90a' is not defined\"\nexit 1\n");
  EXPECT_THAT(assembleDevice(device), HasSubstr("/ptxas failed:\nptxas fatal   : Value 'sm_90a'"));
  EXPECT_EQ(device.cubin, "");
}

/// The architecture of the PTX of a kernel with an instruction.
std::string targetOf(const std::string &assembly) {
  mlir::DialectRegistry registry;
  registerCompilerDialects(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  std::string text = "module @device { llvm.func @k() attributes {aft.threads = 128 : i64, "
                     "aft.shared_bytes = 0 : i64} {\n llvm.inline_asm has_side_effects \"" +
                     assembly + "\", \"\" : () -> ()\n llvm.return } }";
  auto module = mlir::parseSourceString<mlir::ModuleOp>("module {" + text + "}", &context);
  EXPECT_TRUE(module);
  Target target;
  EXPECT_EQ(target.setDevice("cuda:sm_90a"), "");
  mlir::FailureOr<DeviceCode> code = compileDevice(*module, target, "");
  EXPECT_TRUE(succeeded(code));
  EXPECT_EQ(code->gpu, "sm_90a");
  EXPECT_THAT(code->ptx, HasSubstr(".target " + code->ptxArch + "\n"));
  return code->ptxArch;
}

TEST_F(PtxasTest, PtxIsForLaterGpusWhereItCanBe) {
  EXPECT_EQ(targetOf("membar.gl;"), "sm_90");
  EXPECT_EQ(targetOf("setmaxnreg.inc.sync.aligned.u32 240;"), "sm_90a");
  EXPECT_EQ(targetOf("wgmma.fence.sync.aligned;"), "sm_90a");
}

} // namespace
