//===- Derivative.cpp - placeholder ---===//
