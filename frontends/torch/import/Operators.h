//===- Operators.h - What a file may call ---------------------------------===//
// A file names operators of LibTorch. Only those the capture translates, and
// those LibTorch itself makes of other operators, are ever called; sizes are
// answered here, and nothing reaches files, streams or the process.

#ifndef AFT_TORCH_IMPORT_OPERATORS_H
#define AFT_TORCH_IMPORT_OPERATORS_H

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/ivalue.h>
#include <ATen/core/stack.h>

#include <string>
#include <vector>

namespace aft::import {

/// Whether the capture has a rule for it, or LibTorch makes it of others.
bool isReplayable(const c10::OperatorHandle &op);

/// Python takes numbers for tensors: x + 1 calls add.Tensor. The form to call then,
/// add.Scalar, or the same with the numbers made tensors.
c10::OperatorHandle takeNumbers(const c10::OperatorHandle &op, torch::jit::Stack &arguments);

/// "aten::sym_size" and the like, and what they say of a tensor.
bool isSizeQuestion(const std::string &name);
c10::IValue answerSize(const std::string &name, const std::vector<c10::IValue> &arguments);

/// What only checks its arguments. Those that are known are checked: throws
/// c10::Error.
bool isAssertion(const std::string &name);
void checkAssertion(const std::vector<c10::IValue> &arguments);

} // namespace aft::import

#endif // AFT_TORCH_IMPORT_OPERATORS_H
