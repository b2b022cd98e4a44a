//===- JsonTest.cpp - What texts are JSON, and where they are not ---------===//

#include "runtime/core/Json.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace aft;

static std::string errorOf(const std::string &text, const JsonLimits &limits = {}) {
  Json value;
  return Json::parse(text, value, limits).message;
}

static JsonLimits python() {
  JsonLimits limits;
  limits.python = true;
  return limits;
}

TEST(JsonTest, NamesThePlace) {
  EXPECT_EQ(errorOf(""), "JSON: expected a value at byte 0, found the end");
  EXPECT_EQ(errorOf("[1, x]"), "JSON: expected a value at byte 4, found 'x]'");
  EXPECT_EQ(errorOf("{\"a\" 1}"), "JSON: expected ':' at byte 5, found '1}'");
  EXPECT_EQ(errorOf("[1 2]"), "JSON: expected ',' or ']' at byte 3, found '2]'");
  EXPECT_EQ(errorOf("1 2"), "JSON: expected nothing more at byte 2, found '2'");
  EXPECT_EQ(errorOf("\"\\u12g4\""),
            "JSON: expected four hexadecimal digits at byte 3, found '12g4\"'");
  EXPECT_EQ(errorOf("[\"a\nb\"]"),
            "JSON: expected no control character in a text at byte 3, found '\\x0Ab\"]'");
  EXPECT_EQ(errorOf("1e999"), "JSON: expected a number at byte 0, found '1e999'");
  EXPECT_EQ(errorOf("\"a"), "JSON: expected '\"' at byte 2, found the end");
}

// Small objects are searched, larger ones have a set.
TEST(JsonTest, RefusesNamesThatAreThereTwice) {
  for (int count : {2, 8, 9, 40}) {
    std::string text = "{";
    for (int i = 0; i < count; ++i)
      text += "\"" + std::to_string(i) + "\": 0, ";
    EXPECT_EQ(errorOf(text + "\"x\": 0}"), "");
    for (int twice : {0, count / 2, count - 1})
      EXPECT_NE(errorOf(text + "\"" + std::to_string(twice) + "\": 0}")
                    .find("expected a name that is not there yet at byte"),
                std::string::npos);
  }
}

TEST(JsonTest, BoundsNestingAndValues) {
  JsonLimits limits;
  limits.nesting = 3;
  EXPECT_EQ(errorOf("[[1]]", limits), "");
  EXPECT_EQ(errorOf("[[[1]]]", limits),
            "JSON: expected at most 3 lists and objects inside each other at byte 3, found more");
  EXPECT_NE(errorOf(std::string(1000000, '[')), "");
  limits.values = 4;
  EXPECT_EQ(errorOf("[1, 2, 3]", limits), "");
  EXPECT_EQ(errorOf("[1, 2, 3, 4]", limits),
            "JSON: expected at most 4 values at byte 10, found more");
}

TEST(JsonTest, ReadsPythonsNumbersWhereTheyAreExpected) {
  Json value;
  ASSERT_TRUE(Json::parse("[NaN, -Infinity, Infinity, 9223372036854775808, 7]", value, python()).ok());
  EXPECT_TRUE(std::isnan(value.items[0].number));
  EXPECT_EQ(value.items[1].number, -INFINITY);
  EXPECT_EQ(value.items[2].number, INFINITY);
  EXPECT_EQ(value.items[3].kind, Json::Kind::Number);
  EXPECT_EQ(value.items[3].number, 9223372036854775808.0);
  EXPECT_EQ(value.items[4].kind, Json::Kind::Integer);
  for (const char *text : {"NaN", "Infinity", "-Infinity", "9223372036854775808"})
    EXPECT_NE(errorOf(text), "") << text;
}
