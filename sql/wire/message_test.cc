#include "sql/wire/message.h"

#include <gtest/gtest.h>

#include "base/status.h"
#include "sql/wire/startup.h"

namespace anabranch {
namespace {

using namespace std::string_literals;

std::string Startup(std::vector<std::string> words, uint32_t version = 0x30000) {
  std::string body;
  for (int shift = 24; shift >= 0; shift -= 8) body.push_back(static_cast<char>(version >> shift));
  for (const std::string& word : words) body += word + '\0';
  return body + '\0';
}

StartupMessage DecodedStartup(std::vector<std::string> words) {
  absl::StatusOr<StartupPacket> packet = DecodeStartup(Startup(std::move(words)));
  return packet.ok() ? std::get<StartupMessage>(*packet) : StartupMessage();
}

std::string StateOf(const absl::Status& status) { return status.ok() ? "OK" : SqlStateOf(status); }

TEST(StartupTest, ParametersComeInPairs) {
  const StartupMessage startup = DecodedStartup({"user", "root", "database", "defaultdb"});
  ASSERT_EQ(startup.parameters.size(), 2u);
  EXPECT_EQ(startup.parameters[1], std::make_pair("database"s, "defaultdb"s));
}

TEST(StartupTest, OtherFirstPackets) {
  EXPECT_TRUE(std::holds_alternative<EncryptionRequest>(DecodeStartup("\x04\xd2\x16\x2f"s).value()));  // SSL
  EXPECT_TRUE(std::holds_alternative<EncryptionRequest>(DecodeStartup("\x04\xd2\x16\x30"s).value()));  // GSS
  const StartupPacket cancel = DecodeStartup("\x04\xd2\x16\x2e\x00\x00\x00\x07\xff\xff\xff\xfe"s).value();
  EXPECT_EQ(std::get<CancelRequest>(cancel).process_id, 7);
  EXPECT_EQ(std::get<CancelRequest>(cancel).secret, -2);
}

TEST(StartupTest, MalformedPackets) {
  EXPECT_EQ(StateOf(DecodeStartup("").status()), "08P01");
  EXPECT_EQ(StateOf(DecodeStartup("\0\3"s).status()), "08P01");
  EXPECT_EQ(StateOf(DecodeStartup(Startup({}, 0x20000)).status()), "0A000");
  EXPECT_EQ(StateOf(DecodeStartup(Startup({"user"})).status()), "08P01");                // a name without value
  EXPECT_EQ(StateOf(DecodeStartup(Startup({"user", "root"}) + "x").status()), "08P01");  // bytes after the end
  EXPECT_EQ(StateOf(DecodeStartup("\x04\xd2\x16\x2e\x00\x00"s).status()), "08P01");      // cancel without a key
}

TEST(StartupTest, VirtualClusterIsNamedInEveryWay) {
  const auto cluster = [](std::vector<std::string> words) {
    words.insert(words.begin(), {"user", "root"});
    return InterpretStartup(DecodedStartup(words)).value().virtual_cluster;
  };
  EXPECT_EQ(cluster({}), "");
  EXPECT_EQ(cluster({"database", "main"}), "");
  EXPECT_EQ(cluster({"options", "-ccluster=system"}), "system");
  EXPECT_EQ(cluster({"options", "-c cluster=system"}), "system");
  EXPECT_EQ(cluster({"options", "--cluster=system"}), "system");
  EXPECT_EQ(cluster({"options", "-c cluster=a\\ b"}), "a b");
  EXPECT_EQ(cluster({"database", "cluster:tenant1/defaultdb"}), "tenant1");
  EXPECT_EQ(cluster({"database", "cluster:tenant1"}), "tenant1");
  EXPECT_EQ(cluster({"database", "cluster:tenant1/db", "options", "-ccluster=system"}), "system");
}

TEST(StartupTest, OtherOptionsAreSettings) {
  const StartupRequest request =
      InterpretStartup(
          DecodedStartup({"user", "root", "options", "-c statement-timeout=5s --a=b", "application_name", "psql"}))
          .value();
  ASSERT_EQ(request.settings.size(), 3u);
  EXPECT_EQ(request.settings[0], std::make_pair("statement_timeout"s, "5s"s));
  EXPECT_EQ(request.settings[1], std::make_pair("a"s, "b"s));
  EXPECT_EQ(request.settings[2], std::make_pair("application_name"s, "psql"s));
}

TEST(StartupTest, Refusals) {
  EXPECT_EQ(StateOf(InterpretStartup(DecodedStartup({})).status()), "28000");
  EXPECT_EQ(StateOf(InterpretStartup(DecodedStartup({"user", "root", "replication", "true"})).status()), "0A000");
  EXPECT_EQ(StateOf(InterpretStartup(DecodedStartup({"user", "root", "replication", "off"})).status()), "OK");
  EXPECT_EQ(StateOf(InterpretStartup(DecodedStartup({"user", "root", "options", "-x"})).status()), "42601");
  EXPECT_EQ(StateOf(InterpretStartup(DecodedStartup({"user", "root", "options", "-c"})).status()), "42601");
  EXPECT_EQ(StateOf(InterpretStartup(DecodedStartup({"user", "root", "options", "-c =1"})).status()), "42601");
}

TEST(DecodeTest, Query) {
  EXPECT_EQ(DecodeQuery("SELECT 1\0"s).value(), "SELECT 1");
  EXPECT_EQ(StateOf(DecodeQuery("SELECT 1").status()), "08P01");
  EXPECT_EQ(StateOf(DecodeQuery("SELECT 1\0x"s).status()), "08P01");
  EXPECT_EQ(StateOf(DecodeQuery("").status()), "08P01");
}

TEST(DecodeTest, Parse) {
  const ParseMessage parse = DecodeParse("s\0SELECT $1\0\0\1\0\0\0\x17"s).value();
  EXPECT_EQ(parse.name, "s");
  EXPECT_EQ(parse.query, "SELECT $1");
  EXPECT_EQ(parse.parameter_oids, std::vector<uint32_t>{23});
  EXPECT_EQ(StateOf(DecodeParse("s\0SELECT $1\0\0\2\0\0\0\x17"s).status()), "08P01");  // says two types, has one
  EXPECT_EQ(StateOf(DecodeParse("s\0SELECT $1"s).status()), "08P01");
}

TEST(DecodeTest, Bind) {
  // portal "p", statement "s", one format (binary), two parameters (NULL, "ab"), one result format (text)
  const std::string body = "p\0s\0\0\1\0\1\0\2\xff\xff\xff\xff\0\0\0\2ab\0\1\0\0"s;
  const BindMessage bind = DecodeBind(body).value();
  EXPECT_EQ(bind.portal, "p");
  EXPECT_EQ(bind.statement, "s");
  EXPECT_EQ(bind.parameter_formats, std::vector<Format>{Format::kBinary});
  ASSERT_EQ(bind.parameters.size(), 2u);
  EXPECT_EQ(bind.parameters[0], std::nullopt);
  EXPECT_EQ(bind.parameters[1], "ab");
  EXPECT_EQ(bind.result_formats, std::vector<Format>{Format::kText});
  for (size_t size = 0; size < body.size(); ++size) {
    EXPECT_EQ(StateOf(DecodeBind(body.substr(0, size)).status()), "08P01") << size;
  }
}

TEST(DecodeTest, BindWithWrongCounts) {
  EXPECT_EQ(StateOf(DecodeBind("\0\0\0\0\0\1\x7f\xff\xff\xff\0\0"s).status()),
            "08P01");  // a parameter longer than the message
  EXPECT_EQ(StateOf(DecodeBind("\0\0\0\0\0\1\xff\xff\xff\xfe\0\0"s).status()), "08P01");  // length -2
  EXPECT_EQ(StateOf(DecodeBind("\0\0\0\1\0\7\0\0\0\0"s).status()), "08P01");              // format 7
  EXPECT_EQ(StateOf(DecodeBind("\0\0\0\2\0\0\0\0\0\1\xff\xff\xff\xff\0\0"s).status()),
            "08P01");  // two formats, one parameter
}

TEST(DecodeTest, TargetsAndExecute) {
  EXPECT_EQ(DecodeTarget("Pname\0"s).value().kind, TargetKind::kPortal);
  EXPECT_EQ(DecodeTarget("S\0"s).value().name, "");
  EXPECT_EQ(StateOf(DecodeTarget("X\0"s).status()), "08P01");
  EXPECT_EQ(StateOf(DecodeTarget("").status()), "08P01");
  EXPECT_EQ(DecodeExecute("p\0\0\0\0\x0a"s).value().rows_max, 10);
  EXPECT_EQ(DecodeExecute("\0\xff\xff\xff\xff"s).value().rows_max, 0);  // no limit
  EXPECT_EQ(StateOf(DecodeExecute("p\0\0\0"s).status()), "08P01");
}

TEST(DecodeTest, LengthLimits) {
  EXPECT_FALSE(IsLegalLength('Q', 3));
  EXPECT_TRUE(IsLegalLength('Q', 4 + kMessageBytesMax));
  EXPECT_TRUE(IsLegalLength('Q', kSkippedMessageBytesMax));  // read past, then refused by name
  EXPECT_FALSE(IsLegalLength('Q', kSkippedMessageBytesMax + 1));
  EXPECT_TRUE(IsLegalLength('S', 4));
  EXPECT_TRUE(IsLegalLength('E', kSmallMessageBytesMax));
  EXPECT_FALSE(IsLegalLength('E', kSmallMessageBytesMax + 1));
  EXPECT_FALSE(IsLegalLength('G', 4));  // "GET / HTTP/1.1"
  EXPECT_FALSE(IsLegalLength('\0', 4));
}

TEST(EncodeTest, ErrorHasItsFields) {
  std::string out;
  AppendError(&out, Severity::kFatal, SqlError("57P03", "not serving", "START SERVICE"));
  EXPECT_EQ(out, "E\0\0\0\x36"s + "SFATAL\0VFATAL\0C57P03\0Mnot serving\0HSTART SERVICE\0\0"s);
  out.clear();
  AppendNotice(&out, "25P01", "there is no transaction in progress");
  EXPECT_NE(out.find("SWARNING\0"s), std::string::npos);
  out.clear();
  AppendNotice(&out, "42P07", "already exists, skipping");
  EXPECT_NE(out.find("SNOTICE\0"s), std::string::npos);
}

TEST(EncodeTest, RowsInBothFormats) {
  const std::vector<ColumnDescription> columns = {
      {"a", SqlType::kInt4}, {"b", SqlType::kInt8}, {"c", SqlType::kBool}, {"d", SqlType::kText}};
  const Row row = {int64_t{-2}, int64_t{1}, true, Null()};
  std::string out;
  AppendDataRow(&out, row, columns, {}, UtcZone());
  EXPECT_EQ(out,
            "D\0\0\0\x1a\0\4\0\0\0\2-2\0\0\0\1"
            "1\0\0\0\1t\xff\xff\xff\xff"s);
  out.clear();
  AppendDataRow(&out, row, columns, {Format::kBinary}, UtcZone());
  EXPECT_EQ(out, "D\0\0\0\x23\0\4\0\0\0\4\xff\xff\xff\xfe\0\0\0\x08\0\0\0\0\0\0\0\1\0\0\0\1\1\xff\xff\xff\xff"s);
  out.clear();
  AppendRowDescription(&out, {{"a", SqlType::kInt4}}, {});
  EXPECT_EQ(out, "T\0\0\0\x1a\0\1a\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0"s);
  out.clear();
  AppendRowDescription(&out, {{"a", SqlType::kVarchar, 14}}, {});
  EXPECT_EQ(out, "T\0\0\0\x1a\0\1a\0\0\0\0\0\0\0\0\0\4\x13\xff\xff\0\0\0\x0e\0\0"s);
}

TEST(EncodeTest, SmallMessages) {
  std::string out;
  AppendReadyForQuery(&out, TransactionStatus::kFailed);
  EXPECT_EQ(out, "Z\0\0\0\5E"s);
  out.clear();
  AppendCopyInResponse(&out, 2);
  EXPECT_EQ(out, "G\0\0\0\x0b\0\0\2\0\0\0\0"s);
  out.clear();
  AppendBare(&out, BareMessage::kPortalSuspended);
  EXPECT_EQ(out, "s\0\0\0\4"s);
  out.clear();
  AppendParameterDescription(&out, {SqlType::kUnknown, SqlType::kInt8});
  EXPECT_EQ(out, "t\0\0\0\x0e\0\2\0\0\0\x19\0\0\0\x14"s);
}

TEST(ValueTest, BinaryParameters) {
  EXPECT_EQ(ToText(DecodeParameter(SqlType::kInt4, Format::kBinary, "\xff\xff\xff\xff"s, UtcZone()).value()), "-1");
  EXPECT_EQ(ToText(DecodeParameter(SqlType::kInt2, Format::kBinary, "\x80\0"s, UtcZone()).value()), "-32768");
  EXPECT_EQ(ToText(DecodeParameter(SqlType::kInt8, Format::kBinary, "\x80\0\0\0\0\0\0\0"s, UtcZone()).value()),
            "-9223372036854775808");
  EXPECT_EQ(ToText(DecodeParameter(SqlType::kBool, Format::kBinary, "\1"s, UtcZone()).value()), "t");
  EXPECT_EQ(ToText(DecodeParameter(SqlType::kText, Format::kBinary, "x", UtcZone()).value()), "x");
  EXPECT_EQ(StateOf(DecodeParameter(SqlType::kInt8, Format::kBinary, "\1"s, UtcZone()).status()), "22P03");
  EXPECT_EQ(StateOf(DecodeParameter(SqlType::kInt4, Format::kBinary, "", UtcZone()).status()), "22P03");
  EXPECT_EQ(StateOf(DecodeParameter(SqlType::kNumeric, Format::kBinary, "\1"s, UtcZone()).status()), "22P03");
}

TEST(ValueTest, TypesByOid) {
  EXPECT_EQ(ParameterTypeOfOid(0).value(), SqlType::kUnknown);
  EXPECT_EQ(ParameterTypeOfOid(1043).value(), SqlType::kVarchar);
  EXPECT_EQ(ParameterTypeOfOid(20).value(), SqlType::kInt8);
  EXPECT_EQ(StateOf(ParameterTypeOfOid(600).status()), "0A000");
}

}  // namespace
}  // namespace anabranch
