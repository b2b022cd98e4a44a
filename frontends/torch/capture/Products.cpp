//===- Products.cpp - Rules of matrix products ----------------------------===//

#include "frontends/torch/capture/Rules.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace aft;
using namespace aft::capture;

static Rule product(const char *left, const char *right) {
  return [left, right](Operation &op) -> Results {
    return op.f.matmul(op.as(left), op.as(right));
  };
}

/// beta * self + alpha * (left x right)
static Rule addedProduct(const char *left, const char *right) {
  return [left, right](Operation &op) -> Results {
    Value y = op.f.matmul(op.as(left), op.as(right));
    double alpha = op.number("alpha", 1), beta = op.number("beta", 1);
    if (alpha != 1)
      y = op.f.mul(y, alpha);
    if (beta == 0)
      return y;
    Value self = op.as("self");
    return op.f.add(y, beta == 1 ? self : op.f.mul(self, beta));
  };
}

static Results linear(Operation &op) {
  return op.f.linear(op.as("input"), op.as("weight"), op.optional("bias"));
}

static Results outer(Operation &op) {
  return op.f.mul(op.f.unsqueeze(op.as("self"), 1), op.f.unsqueeze(op.as("vec2"), 0));
}

static Results dot(Operation &op) {
  return op.f.sum(op.f.mul(op.as("self"), op.as("tensor")));
}

/// The heads of keys or values, dimension -3, one for each head of the queries.
static Value repeatedHeads(Operation &op, Value x, Value q) {
  std::vector<Extent> shape = op.f.shape(x);
  size_t heads = shape.size() - 3;
  Extent times = op.f.extent(q, -3) / shape[heads];
  shape.insert(shape.begin() + static_cast<long>(heads) + 1, times);
  Value wide = op.f.expand(op.f.unsqueeze(x, static_cast<int>(heads) + 1), shape);
  return op.f.flatten(wide, static_cast<int>(heads), static_cast<int>(heads) + 1);
}

/// softmax(q k^T * scale + mask) v
static Results attention(Operation &op) {
  Function &f = op.f;
  Value q = op.as("query"), k = op.as("key"), v = op.as("value");
  if (op.flag("enable_gqa")) {
    k = repeatedHeads(op, k, q);
    v = repeatedHeads(op, v, q);
  }
  if (op.number("dropout_p") > 0)
    op.fail("dropout inside of the attention is not supported");
  Operand scale = op.has("scale") ? op.operand("scale", q.dtype())
                                  : Operand(1 / std::sqrt(static_cast<double>(q.dim(-1))));
  Value scores = f.mul(f.matmul(q, k, false, true), scale);
  double hidden = -std::numeric_limits<double>::infinity();
  if (op.flag("is_causal")) {
    // Unlike here, LibTorch aligns the first query with the first key.
    Value mask = f.tril(f.splat(1, DType::i32, {f.extent(q, -2), f.extent(k, -2)}));
    scores = f.where(f.compare(Compare::ne, mask, 0), scores, hidden);
  }
  if (Value mask = op.optional("attn_mask"))
    scores = mask.dtype() == DType::i1 ? f.where(mask, scores, hidden)
                                       : f.add(scores, f.cast(mask, scores.dtype()));
  return f.matmul(f.softmax(scores, -1), v);
}

//===----------------------------------------------------------------------===//
// einsum
//===----------------------------------------------------------------------===//

namespace {
/// One operand and the letters of its dimensions.
struct Term {
  Value value;
  std::string letters;
};
} // namespace

static bool contains(const std::string &letters, char letter) {
  return letters.find(letter) != std::string::npos;
}

/// Orders the dimensions as `letters`, which are the term's own.
static Value ordered(Function &f, const Term &term, const std::string &letters) {
  std::vector<int> order;
  for (char letter : letters)
    order.push_back(static_cast<int>(term.letters.find(letter)));
  return f.permute(term.value, order);
}

/// Sums over the letters that nobody needs.
static Term reduced(Function &f, Term term, const std::string &needed) {
  std::vector<int> dims;
  std::string kept;
  for (size_t i = 0; i < term.letters.size(); ++i)
    if (contains(needed, term.letters[i]))
      kept += term.letters[i];
    else
      dims.push_back(static_cast<int>(i));
  if (!dims.empty())
    term.value = f.sum(term.value, dims);
  term.letters = kept;
  return term;
}

/// Multiplies two terms and sums over the letters of both that `needed` lacks.
static Term contracted(Function &f, const Term &a, const Term &b, const std::string &needed) {
  std::string batch, left, right, inner;
  for (char letter : a.letters)
    (!contains(b.letters, letter) ? left : contains(needed, letter) ? batch : inner) += letter;
  for (char letter : b.letters)
    if (!contains(a.letters, letter))
      right += letter;
  auto extents = [&](const std::string &letters) {
    std::vector<Extent> found;
    for (char letter : letters) {
      const Term &term = contains(a.letters, letter) ? a : b;
      found.push_back(f.extent(term.value, static_cast<int>(term.letters.find(letter))));
    }
    return found;
  };
  auto total = [&](const std::string &letters) {
    Extent count = 1;
    for (Extent extent : extents(letters))
      count = count * extent;
    return count;
  };
  auto matrices = [&](const Term &term, const std::string &rows, const std::string &columns) {
    std::vector<Extent> shape = extents(batch);
    shape.push_back(total(rows));
    shape.push_back(total(columns));
    return f.reshape(ordered(f, term, batch + rows + columns), shape);
  };
  Value y = f.matmul(matrices(a, left, inner), matrices(b, inner, right));
  std::string letters = batch + left + right;
  return {f.reshape(y, extents(letters)), letters};
}

/// Letters of their own for what the ellipses stand for; where no output is
/// given it begins with them.
static std::string withoutEllipsis(Operation &op, const std::string &equation,
                                   const std::vector<Value> &values) {
  size_t arrow = equation.find("->"), operand = 0, letters = 0;
  std::string unused, spelled, inputs = equation.substr(0, arrow);
  for (char letter = 'A'; letter <= 'z'; ++letter)
    if (std::isalpha(letter) && !contains(equation, letter))
      unused += letter;
  for (size_t begin = 0; begin <= inputs.size(); ++operand) {
    size_t end = std::min(inputs.find(',', begin), inputs.size());
    std::string term = inputs.substr(begin, end - begin);
    begin = end + 1;
    if (size_t dots = term.find("..."); dots != std::string::npos) {
      size_t count = static_cast<size_t>(values.at(operand).rank()) - (term.size() - 3);
      if (letters != 0 && count != letters)
        op.fail("ellipses of different ranks in '" + equation + "' are not supported");
      letters = count;
      term.replace(dots, 3, unused.substr(0, count));
    }
    spelled += (operand ? "," : "") + term;
  }
  std::string rest = unused.substr(0, letters);
  if (arrow == std::string::npos) {
    for (char letter = 'A'; letter <= 'z'; ++letter)
      if (std::isalpha(letter) && std::count(inputs.begin(), inputs.end(), letter) == 1)
        rest += letter;
    return spelled + "->" + rest;
  }
  std::string output = equation.substr(arrow + 2);
  if (size_t dots = output.find("..."); dots != std::string::npos)
    output.replace(dots, 3, rest);
  return spelled + "->" + output;
}

/// Without dimensions of extent 1 that are as long as those of other operands.
static void dropBroadcast(Function &f, std::vector<Term> &terms) {
  auto isOne = [&](const Term &term, char letter) {
    Extent extent = f.extent(term.value, static_cast<int>(term.letters.find(letter)));
    return extent.isConstant() && extent.constant() == 1;
  };
  for (Term &term : terms)
    for (size_t dim = term.letters.size(); dim-- > 0;) {
      char letter = term.letters[dim];
      bool grows = std::any_of(terms.begin(), terms.end(), [&](const Term &other) {
        return contains(other.letters, letter) && !isOne(other, letter);
      });
      if (!grows || !isOne(term, letter))
        continue;
      term.value = f.select(term.value, static_cast<int>(dim), 0);
      term.letters.erase(dim, 1);
    }
}

static Results einsum(Operation &op) {
  std::string equation = op.text("equation");
  equation.erase(std::remove(equation.begin(), equation.end(), ' '), equation.end());
  std::vector<Value> values = op.values("tensors");
  if (contains(equation, '.'))
    equation = withoutEllipsis(op, equation, values);
  size_t arrow = equation.find("->");
  std::string inputs = equation.substr(0, arrow), output;
  std::vector<Term> terms(1);
  for (char letter : inputs) {
    if (letter == ',')
      terms.emplace_back();
    else if (contains(terms.back().letters, letter))
      op.fail("a letter twice in one operand of '" + equation + "' is not supported");
    else
      terms.back().letters += letter;
  }
  if (terms.size() != values.size())
    op.fail("'" + equation + "' has " + std::to_string(terms.size()) + " operands, found " +
            std::to_string(values.size()));
  if (arrow != std::string::npos) {
    output = equation.substr(arrow + 2);
  } else {
    for (char letter = 'A'; letter <= 'z'; ++letter)
      if (std::count(inputs.begin(), inputs.end(), letter) == 1 && std::isalpha(letter))
        output += letter;
  }
  for (size_t i = 0; i < terms.size(); ++i)
    terms[i].value = op.f.cast(values[i], op.dtype());
  dropBroadcast(op.f, terms);
  while (!terms.empty()) {
    // What the others and the output still need of the first term.
    std::string needed = output;
    for (size_t i = 1; i < terms.size(); ++i)
      needed += terms[i].letters;
    terms[0] = reduced(op.f, terms[0], needed);
    if (terms.size() == 1)
      break;
    std::string later = output;
    for (size_t i = 2; i < terms.size(); ++i)
      later += terms[i].letters;
    Term second = reduced(op.f, terms[1], later + terms[0].letters);
    terms[1] = contracted(op.f, terms[0], second, later);
    terms.erase(terms.begin());
  }
  return ordered(op.f, terms[0], output);
}

void aft::capture::addProductRules(Rules &rules) {
  rules["aten::matmul"] = rules["aten::linalg_matmul"] = product("self", "other");
  rules["aten::mm"] = rules["aten::bmm"] = product("self", "mat2");
  rules["aten::mv"] = product("self", "vec");
  rules["aten::dot"] = dot;
  rules["aten::outer"] = outer;
  rules["aten::linear"] = linear;
  rules["aten::addmm"] = addedProduct("mat1", "mat2");
  rules["aten::baddbmm"] = addedProduct("batch1", "batch2");
  rules["aten::addmv"] = addedProduct("mat", "vec");
  rules["aten::scaled_dot_product_attention"] = attention;
  // What LibTorch makes of it on a CPU; the logarithms of its sums are for derivatives.
  rules["aten::_scaled_dot_product_flash_attention_for_cpu"] = attention;
  rules["aten::_scaled_dot_product_attention_math"] = attention;
  rules["aten::einsum"] = einsum;
}
