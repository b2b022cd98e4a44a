//===- QuoteTest.cpp - What files have, in messages -----------------------===//

#include "runtime/core/Quote.h"
#include "runtime/core/Json.h"

#include <gtest/gtest.h>

using namespace aft;

TEST(QuoteTest, ShowsCharactersAndNoMore) {
  EXPECT_EQ(quote(""), "''");
  EXPECT_EQ(quote("layer.0 \"w\""), "'layer.0 \"w\"'");
  EXPECT_EQ(quote("größe 表 😀"), "'größe 表 😀'");
  EXPECT_EQ(quote(std::string_view("a\0\n\x1b[2J\x7f", 8)), "'a\\x00\\x0A\\x1B[2J\\x7F'");
  // The second half of the control characters, the end of a line, writing from right to left.
  EXPECT_EQ(quote("\u0085 \u2028 \u202e"), "'\\xC2\\x85 \\xE2\\x80\\xA8 \\xE2\\x80\\xAE'");
  // Not UTF-8: a second byte alone, one that is not there, a letter in two bytes, a surrogate.
  EXPECT_EQ(quote("\xa9"), "'\\xA9'");
  EXPECT_EQ(quote("\xc3"), "'\\xC3'");
  EXPECT_EQ(quote("\xc3("), "'\\xC3('");
  EXPECT_EQ(quote("\xc1\x81"), "'\\xC1\\x81'");
  EXPECT_EQ(quote("\xed\xa0\x80"), "'\\xED\\xA0\\x80'");
  EXPECT_EQ(quote("\xf4\x90\x80\x80"), "'\\xF4\\x90\\x80\\x80'");
}

TEST(QuoteTest, IsBounded) {
  EXPECT_EQ(quote(std::string(kMostShown, 'x')), "'" + std::string(kMostShown, 'x') + "'");
  EXPECT_EQ(quote(std::string(1000, 'x'), '"'),
            "\"" + std::string(kMostShown, 'x') + "...\" (1000 bytes)");
  EXPECT_EQ(oneLine("a\nb\tc\x7f.so: no"), "a b c .so: no");
}

TEST(QuoteTest, ShowsValues) {
  EXPECT_EQ(shown(nullptr), "nothing");
  for (const char *text : {"null", "true", "-7", "0.5", "[]", "[1, 2, 3, 4]"}) {
    Json value;
    ASSERT_TRUE(Json::parse(text, value).ok());
    EXPECT_EQ(shown(&value), text);
  }
  for (auto [text, expected] : {std::pair("\"a\\nb\"", "\"a\\x0Ab\""),
                                {"[1, 2, 3, 4, 5]", "a list of 5"},
                                {"[\"a\"]", "a list of 1"},
                                {"{\"a\": 1}", "an object of 1"}}) {
    Json value;
    ASSERT_TRUE(Json::parse(text, value).ok());
    EXPECT_EQ(shown(&value), expected);
  }
}
