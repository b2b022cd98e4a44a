//===- DType.cpp - Sizes and names of element types -----------------------===//

#include "aft/program.h"

int64_t aft::sizeOf(DType dtype) {
  switch (dtype) {
  case DType::f64:
  case DType::i64:
    return 8;
  case DType::f32:
  case DType::i32:
    return 4;
  case DType::bf16:
    return 2;
  case DType::i1:
  case DType::i8:
    return 1;
  }
  return 0;
}

const char *aft::nameOf(DType dtype) {
  switch (dtype) {
  case DType::f32: return "f32";
  case DType::f64: return "f64";
  case DType::bf16: return "bf16";
  case DType::i1: return "i1";
  case DType::i8: return "i8";
  case DType::i32: return "i32";
  case DType::i64: return "i64";
  }
  return "?";
}

const aft::EntryInfo *aft::Program::entry(const std::string &name) const {
  for (const EntryInfo &info : entries())
    if (info.name == name)
      return &info;
  return nullptr;
}
