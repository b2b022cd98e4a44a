//===- Reference.cpp - placeholder ---===//
