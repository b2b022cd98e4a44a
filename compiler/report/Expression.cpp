//===- Expression.cpp - Numbers that depend on extents --------------------===//

#include "compiler/report/Expression.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <cmath>

using namespace aft;

using Kind = Expression::Kind;

struct Expression::Node {
  Kind kind;
  int64_t number = 0; ///< the constant, or the symbol's number
  Expression left, right;
};

/// How JSON spells an operator.
static constexpr std::pair<Kind, llvm::StringLiteral> kOperators[] = {
    {Kind::Add, "+"},           {Kind::Multiply, "*"}, {Kind::FloorDivide, "//"},
    {Kind::CeilDivide, "ceil"}, {Kind::Modulo, "%"},   {Kind::Min, "min"},
    {Kind::Max, "max"}};

Expression::Expression(int64_t constant)
    : node(std::make_shared<Node>(Node{Kind::Constant, constant, {}, {}})) {}

Expression Expression::symbol(unsigned number) {
  return Expression(std::make_shared<Node>(Node{Kind::Symbol, number, {}, {}}));
}

std::optional<int64_t> Expression::constant() const {
  if (node && node->kind == Kind::Constant)
    return node->number;
  return std::nullopt;
}

static std::optional<double> apply(Kind kind, double left, double right) {
  switch (kind) {
  case Kind::Add:
    return left + right;
  case Kind::Multiply:
    return left * right;
  case Kind::FloorDivide:
    return right == 0 ? std::nullopt : std::optional(std::floor(left / right));
  case Kind::CeilDivide:
    return right == 0 ? std::nullopt : std::optional(std::ceil(left / right));
  case Kind::Modulo:
    return right == 0 ? std::nullopt : std::optional(left - right * std::floor(left / right));
  case Kind::Min:
    return std::min(left, right);
  case Kind::Max:
    return std::max(left, right);
  default:
    return std::nullopt;
  }
}

Expression Expression::make(Kind kind, const Expression &left, const Expression &right) {
  if (!left.known() || !right.known())
    return {};
  std::optional<int64_t> l = left.constant(), r = right.constant();
  constexpr double exact = 9007199254740992.0; // 2^53
  if (l && r) {
    std::optional<double> value = apply(kind, static_cast<double>(*l), static_cast<double>(*r));
    // Beyond that it is no number of anything that there is.
    if (!value || std::abs(*value) > exact)
      return {};
    return static_cast<int64_t>(*value);
  }
  bool sum = kind == Kind::Add, product = kind == Kind::Multiply;
  // Constants lead, so that they meet where products and sums are nested.
  if (r && !l && (sum || product))
    return make(kind, right, left);
  if ((sum && l == 0) || (product && l == 1))
    return right;
  if (product && l == 0)
    return 0;
  if (r == 1 && (kind == Kind::FloorDivide || kind == Kind::CeilDivide))
    return left;
  if (l && right.node->kind == kind && (sum || product))
    if (right.node->left.constant())
      return make(kind, make(kind, left, right.node->left), right.node->right);
  if (!l && (sum || product) && left.node->kind == kind && left.node->left.constant())
    return make(kind, left.node->left, make(kind, left.node->right, right));
  return Expression(std::make_shared<Node>(Node{kind, 0, left, right}));
}

std::optional<double> Expression::evaluate(llvm::ArrayRef<double> symbols) const {
  if (!node)
    return std::nullopt;
  if (node->kind == Kind::Constant)
    return static_cast<double>(node->number);
  if (node->kind == Kind::Symbol) {
    if (static_cast<size_t>(node->number) < symbols.size())
      return symbols[node->number];
    return std::nullopt;
  }
  std::optional<double> left = node->left.evaluate(symbols), right = node->right.evaluate(symbols);
  if (!left || !right)
    return std::nullopt;
  return apply(node->kind, *left, *right);
}

Expression Expression::replaceSymbols(llvm::ArrayRef<Expression> replacements) const {
  if (!node || node->kind == Kind::Constant)
    return *this;
  if (node->kind == Kind::Symbol)
    return static_cast<size_t>(node->number) < replacements.size() ? replacements[node->number]
                                                                   : Expression();
  return make(node->kind, node->left.replaceSymbols(replacements),
              node->right.replaceSymbols(replacements));
}

void Expression::collectSymbols(std::vector<bool> &used) const {
  if (!node || node->kind == Kind::Constant)
    return;
  if (node->kind == Kind::Symbol) {
    if (used.size() <= static_cast<size_t>(node->number))
      used.resize(node->number + 1);
    used[node->number] = true;
    return;
  }
  node->left.collectSymbols(used);
  node->right.collectSymbols(used);
}

llvm::json::Value Expression::toJSON() const {
  if (!node)
    return nullptr;
  if (node->kind == Kind::Constant)
    return node->number;
  if (node->kind == Kind::Symbol)
    return "s" + std::to_string(node->number);
  const auto *spelling =
      llvm::find_if(kOperators, [&](const auto &entry) { return entry.first == node->kind; });
  return llvm::json::Array{spelling->second, node->left.toJSON(), node->right.toJSON()};
}

Expression Expression::fromJSON(const llvm::json::Value &value) {
  if (std::optional<int64_t> number = value.getAsInteger())
    return *number;
  if (std::optional<llvm::StringRef> name = value.getAsString()) {
    unsigned number;
    if (name->consume_front("s") && llvm::to_integer(*name, number, 10))
      return symbol(number);
    return {};
  }
  const llvm::json::Array *parts = value.getAsArray();
  if (!parts || parts->size() != 3 || !(*parts)[0].getAsString())
    return {};
  for (const auto &[kind, spelling] : kOperators)
    if (*(*parts)[0].getAsString() == spelling)
      return make(kind, fromJSON((*parts)[1]), fromJSON((*parts)[2]));
  return {};
}

Expression aft::operator+(const Expression &left, const Expression &right) {
  return Expression::make(Kind::Add, left, right);
}
Expression aft::operator-(const Expression &left, const Expression &right) {
  return left + Expression(-1) * right;
}
Expression aft::operator*(const Expression &left, const Expression &right) {
  return Expression::make(Kind::Multiply, left, right);
}
Expression aft::floorDivide(const Expression &left, const Expression &right) {
  return Expression::make(Kind::FloorDivide, left, right);
}
Expression aft::ceilDivide(const Expression &left, const Expression &right) {
  return Expression::make(Kind::CeilDivide, left, right);
}
Expression aft::min(const Expression &left, const Expression &right) {
  return Expression::make(Kind::Min, left, right);
}
Expression aft::max(const Expression &left, const Expression &right) {
  return Expression::make(Kind::Max, left, right);
}
