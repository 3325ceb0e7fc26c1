#include "storage/api/write_list.h"

#include <string>

#include "gtest/gtest.h"

namespace anabranch {
namespace {

std::string Text(const WriteList& list) {
  std::string text;
  for (const WriteList::Entry write : list) {
    text += std::string(write.key) + (write.kind() == WriteKind::kPut ? "=" : "!") + std::string(write.value()) + " ";
  }
  return text;
}

TEST(WriteListTest, HoldsWhatAWriteSetHolds) {
  const WriteSet set = {{"a", {WriteKind::kPut, "1"}},
                        {std::string("\0", 1), {WriteKind::kPut, std::string("\0x", 2)}},
                        {"b", {WriteKind::kTombstone, ""}}};
  const WriteList list(set);
  EXPECT_EQ(Text(list), std::string("\0=\0x a=1 b! ", 12));
  EXPECT_EQ(list.size(), 3u);
  EXPECT_EQ(list.payload_bytes(), 6u);
  EXPECT_EQ(list[1].stored,
            "\x01"
            "1");
}

TEST(WriteListTest, SortsAndFindsTheFirstKeyThatComesTwice) {
  WriteList list;
  for (const char* key : {"c", "a", "d", "b"}) list.Add(key, WriteKind::kPut, key);
  EXPECT_EQ(list.Sort(), std::nullopt);
  EXPECT_EQ(Text(list), "a=a b=b c=c d=d ");
  list.Add("e", WriteKind::kPut, "");
  list.Add("b", WriteKind::kPut, "again");
  EXPECT_EQ(list.Sort(), 2u);
  EXPECT_EQ(list[2].value(), "again");
}

// Keys that ascend are not sorted, so one that comes twice must count as out of order.
TEST(WriteListTest, AKeyTwiceInARowIsFound) {
  WriteList list;
  list.Add("a", WriteKind::kPut, "1");
  list.Add("a", WriteKind::kPut, "2");
  EXPECT_EQ(list.Sort(), 1u);
}

TEST(WriteListTest, LowerBound) {
  WriteList list;
  for (const char* key : {"a", "c", "c1"}) list.Add(key, WriteKind::kPut, "");
  EXPECT_EQ(list.LowerBound(""), 0u);
  EXPECT_EQ(list.LowerBound("a"), 0u);
  EXPECT_EQ(list.LowerBound("b"), 1u);
  EXPECT_EQ(list.LowerBound("c1"), 2u);
  EXPECT_EQ(list.LowerBound("d"), 3u);
}

}  // namespace
}  // namespace anabranch
