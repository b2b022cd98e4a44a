//===- Graph.cpp - placeholder ---===//
