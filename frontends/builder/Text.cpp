//===- Text.cpp - Spelling types, numbers and scalar code as MLIR ---------===//

#include "frontends/builder/FunctionImpl.h"

#include <cmath>
#include <cstdio>
#include <cstring>

using namespace aft;

bool aft::isFloat(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16;
}

bool aft::isInteger(DType dtype) {
  return dtype == DType::i8 || dtype == DType::i32 || dtype == DType::i64;
}

DType aft::accumulationOf(DType dtype) { return dtype == DType::bf16 ? DType::f32 : dtype; }

bool aft::isCountable(const TensorType &type) {
  double bytes = static_cast<double>(sizeOf(type.dtype));
  for (int64_t extent : type.shape) {
    bytes *= extent == kDynamic ? 1 : static_cast<double>(extent);
    if (extent < kDynamic || bytes > 1e18)
      return false;
  }
  return true;
}

std::string aft::typeText(const TensorType &type) {
  std::string text = "tensor<";
  for (int64_t extent : type.shape)
    text += (extent == kDynamic ? "?" : std::to_string(extent)) + "x";
  return text + nameOf(type.dtype) + ">";
}

std::string aft::joined(const Strings &parts) {
  std::string text;
  for (const std::string &part : parts)
    text += (text.empty() ? "" : ", ") + part;
  return text;
}

std::string aft::quoted(const std::string &text) {
  std::string result = "\"";
  for (char c : text) {
    bool plain = c >= ' ' && c < 127 && c != '"' && c != '\\';
    char code[4];
    std::snprintf(code, sizeof code, "\\%02X", static_cast<unsigned char>(c));
    result += plain ? std::string(1, c) : code;
  }
  return result + "\"";
}

/// The bits of a number that has no decimal form.
static std::string bitsText(double value, DType dtype) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  uint64_t sign = bits >> 63;
  bool isNaN = std::isnan(value);
  char text[24];
  if (dtype == DType::f64)
    std::snprintf(text, sizeof text, "0x%016llX", static_cast<unsigned long long>(bits));
  else if (dtype == DType::f32)
    std::snprintf(text, sizeof text, "0x%08X",
                  static_cast<unsigned>(sign << 31 | 0x7F800000u | (isNaN ? 1u << 22 : 0)));
  else
    std::snprintf(text, sizeof text, "0x%04X",
                  static_cast<unsigned>(sign << 15 | 0x7F80u | (isNaN ? 1u << 6 : 0)));
  return text;
}

std::string aft::numberText(double value, DType dtype) {
  std::string text;
  if (!isFloat(dtype)) {
    text = dtype == DType::i1 ? (value != 0 ? "true" : "false")
                              : std::to_string(static_cast<int64_t>(value));
    return dtype == DType::i1 ? text : text + " : " + nameOf(dtype);
  }
  if (!std::isfinite(value)) {
    text = bitsText(value, dtype);
  } else {
    char digits[40];
    std::snprintf(digits, sizeof digits, "%.17e", value);
    text = digits;
  }
  return text + " : " + nameOf(dtype);
}

std::string aft::mapText(int loops, const std::vector<int> &results) {
  Strings from, to;
  for (int loop = 0; loop < loops; ++loop)
    from.push_back("d" + std::to_string(loop));
  for (int loop : results)
    to.push_back("d" + std::to_string(loop));
  return "affine_map<(" + joined(from) + ") -> (" + joined(to) + ")>";
}

//===----------------------------------------------------------------------===//
// Scalar code
//===----------------------------------------------------------------------===//

std::string Body::assign(const std::string &content) {
  std::string name = function.fresh();
  text += "      " + name + " = " + content + "\n";
  return name;
}

std::string Body::op(const std::string &name, const Strings &operands, DType dtype) {
  return assign(name + " " + joined(operands) + " : " + nameOf(dtype));
}

std::string Body::number(double value, DType dtype) {
  return assign("arith.constant " + numberText(value, dtype));
}

std::string Body::index(int loop) {
  return assign("linalg.index " + std::to_string(loop) + " : index");
}

std::string Body::convert(const std::string &value, DType from, DType to) {
  auto as = [&](const char *name, const std::string &operand, DType source, DType target) {
    return assign(std::string(name) + " " + operand + " : " + nameOf(source) + " to " +
                  nameOf(target));
  };
  if (from == to)
    return value;
  if (to == DType::i1)
    return compare(Compare::ne, from == DType::bf16 ? convert(value, from, DType::f32) : value,
                   number(0, accumulationOf(from)), accumulationOf(from));
  // bf16 has conversions to and from f32 only.
  if (to == DType::bf16 && from != DType::f32)
    return convert(convert(value, from, DType::f32), DType::f32, to);
  if (from == DType::bf16 && to != DType::f32)
    return convert(convert(value, from, DType::f32), DType::f32, to);
  if (isFloat(from) && isFloat(to))
    return as(sizeOf(from) < sizeOf(to) ? "arith.extf" : "arith.truncf", value, from, to);
  if (isFloat(to))
    return as(from == DType::i1 ? "arith.uitofp" : "arith.sitofp", value, from, to);
  if (isFloat(from))
    return as("arith.fptosi", value, from, to);
  if (from == DType::i1)
    return as("arith.extui", value, from, to);
  return as(sizeOf(from) < sizeOf(to) ? "arith.extsi" : "arith.trunci", value, from, to);
}

std::string Body::fromIndex(const std::string &index, DType to) {
  DType integer = isFloat(to) ? DType::i64 : to;
  std::string value = assign("arith.index_cast " + index + " : index to " + nameOf(integer));
  return convert(value, integer, to);
}

std::string Body::compare(Compare kind, const std::string &a, const std::string &b, DType dtype) {
  static const char *const ints[] = {"eq", "ne", "slt", "sle", "sgt", "sge"};
  // A true that is read as a number with a sign is -1.
  static const char *const bools[] = {"eq", "ne", "ult", "ule", "ugt", "uge"};
  static const char *const floats[] = {"oeq", "une", "olt", "ole", "ogt", "oge"};
  bool isReal = isFloat(dtype);
  std::string predicate = (isReal               ? floats
                           : dtype == DType::i1 ? bools
                                                : ints)[static_cast<int>(kind)];
  return assign((isReal ? "arith.cmpf " : "arith.cmpi ") + predicate + ", " + a + ", " + b + " : " +
                nameOf(dtype));
}

std::string Body::compareIndex(const char *predicate, const std::string &a,
                               const std::string &b) {
  return assign("arith.cmpi " + std::string(predicate) + ", " + a + ", " + b + " : index");
}

std::string Body::addIndex(const std::string &a, int64_t offset) {
  if (offset == 0)
    return a;
  std::string constant = assign("arith.constant " + std::to_string(offset) + " : index");
  return assign("arith.addi " + a + ", " + constant + " : index");
}

std::string Body::select(const std::string &condition, const std::string &yes,
                         const std::string &no, DType dtype) {
  return assign("arith.select " + condition + ", " + yes + ", " + no + " : " + nameOf(dtype));
}
