//===- ProgramsTest.cpp - Promises that can be broken ---------------------===//
// Each promise of the target for programs, with a parser or a pass that breaks it.

#include "Programs.h"

#include "mlir/IR/Diagnostics.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace aft;
using namespace aft::fuzz;

static constexpr const char *kGood = "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {\n"
                                     "  return %x : tensor<4xf32>\n}\n";

namespace {

/// Refuses everything with the text that it is given, and where there is none without an error.
struct Refuser {
  std::optional<std::string> message;
  OwningOpRef<ModuleOp> operator()(const std::string &, const std::string &name,
                                   MLIRContext &context) const {
    if (message)
      emitError(FileLineColLoc::get(&context, name, 1, 2)) << *message;
    return {};
  }
};

struct Failing : PassWrapper<Failing, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(Failing)
  explicit Failing(std::string message) : message(std::move(message)) {}
  Failing(const Failing &other) : PassWrapper(other), message(other.message) {}
  void runOnOperation() override {
    if (!message.empty())
      getOperation().emitError() << message;
    signalPassFailure();
  }
  std::string message;
};

} // namespace

TEST(Programs, AreTakenOrRefusedWithAMessage) {
  Programs programs;
  EXPECT_TRUE(programs.check(kGood));
  EXPECT_TRUE(programs.check(""));
  EXPECT_TRUE(programs.check("func.func @main("));
  EXPECT_TRUE(programs.check("ML\xefR"));
  Programs told(Refuser{"no such thing"});
  EXPECT_TRUE(told.check(kGood));
  Programs crashed(Refuser{"MLIR's parser crashed on this text"});
  EXPECT_FALSE(crashed.check(kGood));
  Programs failed(parseProgram, std::make_unique<Failing>("no such thing"));
  EXPECT_TRUE(failed.check(kGood));
}

TEST(Programs, RefusedWithoutAMessageAreFound) {
  for (std::optional<std::string> message : {std::optional<std::string>(), {""}, {" \n"}}) {
    Programs programs(Refuser{message});
    EXPECT_DEATH(programs.check(kGood), "broken promise: a refusal has a message");
  }
}

TEST(Programs, ThatFailWithoutAMessageAreFound) {
  Programs programs(parseProgram, std::make_unique<Failing>(""));
  EXPECT_DEATH(programs.check(kGood), "broken promise: a failure has a message");
}

TEST(Programs, ThatCannotBeReadAgainAreFound) {
  Programs programs([](const std::string &text, const std::string &name, MLIRContext &context) {
    return name == "printed.mlir" ? Refuser{"not again"}(text, name, context)
                                  : parseProgram(text, name, context);
  });
  EXPECT_DEATH(programs.check(kGood), "broken promise: printed.mlir:1:2: not again");
}
