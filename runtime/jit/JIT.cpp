//===- JIT.cpp - placeholder ---===//
