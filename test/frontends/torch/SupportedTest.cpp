//===- SupportedTest.cpp - The list of operators in the documentation -----===//

#include "frontends/torch/capture/Rules.h"

#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

using namespace aft::capture;

/// The names after `space`, in lines of at most 100 characters.
static std::string listed(const std::string &space) {
  std::string text, line;
  for (const auto &[name, rule] : rules()) {
    if (name.rfind(space, 0) != 0)
      continue;
    std::string word = (line.empty() ? "" : " ") + name.substr(space.size());
    if (line.size() + word.size() > 100) {
      text += line + "\n";
      line.clear();
      word = name.substr(space.size());
    }
    line += word;
  }
  return text + line + "\n";
}

TEST(Supported, TheListOfOperatorsIsUpToDate) {
  std::string path = AFT_SOURCE "/frontends/README.md";
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  for (const char *space : {"aten::", "aft::"}) {
    std::string expected = "```text\n" + listed(space) + "```\n";
    EXPECT_NE(content.str().find(expected), std::string::npos)
        << path << " must contain\n" << expected;
  }
}

TEST(Supported, InPlaceFormsHaveTheRuleOfTheOthers) {
  EXPECT_NE(ruleFor("aten::add_"), nullptr);
  EXPECT_EQ(ruleFor("aten::add_"), ruleFor("aten::add"));
  EXPECT_EQ(ruleFor("aten::digamma"), nullptr);
}
