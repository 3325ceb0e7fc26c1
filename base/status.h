// Errors. absl::Status crosses every fallible boundary; what a user sees of it is a message, an SQLSTATE and a hint, which
// travel as payloads of the status from where the error is known to the pgwire server that prints it.
//
// Strings: our interfaces take std::string_view and std::string. Abseil 20220623 as Debian builds it has its own
// absl::string_view that does not convert, so text is built with fmt and handed to Abseil as std::string.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace anabranch {

// SQLSTATEs that we raise; names follow PostgreSQL's Appendix A.
namespace sqlstate {
inline constexpr std::string_view kSqlclientUnableToConnect = "08001";
inline constexpr std::string_view kConnectionFailure = "08006";
inline constexpr std::string_view kProtocolViolation = "08P01";
inline constexpr std::string_view kFeatureNotSupported = "0A000";
inline constexpr std::string_view kInvalidGrantOperation = "0LP01";
inline constexpr std::string_view kCardinalityViolation = "21000";
inline constexpr std::string_view kStringDataRightTruncation = "22001";
inline constexpr std::string_view kNumericValueOutOfRange = "22003";
inline constexpr std::string_view kNullValueNotAllowed = "22004";
inline constexpr std::string_view kInvalidDatetimeFormat = "22007";
inline constexpr std::string_view kDatetimeFieldOverflow = "22008";
inline constexpr std::string_view kInvalidTimeZoneDisplacement = "22009";
inline constexpr std::string_view kSequenceGeneratorLimitExceeded = "2200H";
inline constexpr std::string_view kSubstringError = "22011";
inline constexpr std::string_view kDivisionByZero = "22012";
inline constexpr std::string_view kIntervalFieldOverflow = "22015";
inline constexpr std::string_view kInvalidEscapeCharacter = "22019";
inline constexpr std::string_view kInvalidRegularExpression = "2201B";
inline constexpr std::string_view kInvalidArgumentForLogarithm = "2201E";
inline constexpr std::string_view kInvalidArgumentForPowerFunction = "2201F";
inline constexpr std::string_view kCharacterNotInRepertoire = "22021";
inline constexpr std::string_view kInvalidParameterValue = "22023";
inline constexpr std::string_view kInvalidEscapeSequence = "22025";
inline constexpr std::string_view kInvalidTextRepresentation = "22P02";
inline constexpr std::string_view kInvalidBinaryRepresentation = "22P03";
inline constexpr std::string_view kBadCopyFileFormat = "22P04";
inline constexpr std::string_view kUntranslatableCharacter = "22P05";
inline constexpr std::string_view kNotNullViolation = "23502";
inline constexpr std::string_view kUniqueViolation = "23505";
inline constexpr std::string_view kCheckViolation = "23514";
inline constexpr std::string_view kActiveSqlTransaction = "25001";
inline constexpr std::string_view kReadOnlySqlTransaction = "25006";
inline constexpr std::string_view kNoActiveSqlTransaction = "25P01";
inline constexpr std::string_view kInFailedSqlTransaction = "25P02";
inline constexpr std::string_view kIdleInTransactionTimeout = "25P03";
inline constexpr std::string_view kInvalidSqlStatementName = "26000";
inline constexpr std::string_view kInvalidAuthorizationSpecification = "28000";
inline constexpr std::string_view kDependentObjectsStillExist = "2BP01";
inline constexpr std::string_view kInvalidCursorName = "34000";
inline constexpr std::string_view kInvalidSavepoint = "3B001";
inline constexpr std::string_view kInvalidCatalogName = "3D000";
inline constexpr std::string_view kInvalidSchemaName = "3F000";
inline constexpr std::string_view kSerializationFailure = "40001";
inline constexpr std::string_view kDeadlockDetected = "40P01";
inline constexpr std::string_view kInsufficientPrivilege = "42501";
inline constexpr std::string_view kSyntaxError = "42601";
inline constexpr std::string_view kInvalidName = "42602";
inline constexpr std::string_view kDuplicateColumn = "42701";
inline constexpr std::string_view kAmbiguousColumn = "42702";
inline constexpr std::string_view kUndefinedColumn = "42703";
inline constexpr std::string_view kUndefinedObject = "42704";
inline constexpr std::string_view kDuplicateObject = "42710";
inline constexpr std::string_view kDuplicateAlias = "42712";
inline constexpr std::string_view kAmbiguousFunction = "42725";
inline constexpr std::string_view kGroupingError = "42803";
inline constexpr std::string_view kDatatypeMismatch = "42804";
inline constexpr std::string_view kWrongObjectType = "42809";
inline constexpr std::string_view kCannotCoerce = "42846";
inline constexpr std::string_view kUndefinedFunction = "42883";
inline constexpr std::string_view kGeneratedAlways = "428C9";
inline constexpr std::string_view kReservedName = "42939";
inline constexpr std::string_view kUndefinedTable = "42P01";
inline constexpr std::string_view kUndefinedParameter = "42P02";
inline constexpr std::string_view kDuplicateCursor = "42P03";
inline constexpr std::string_view kDuplicatePreparedStatement = "42P05";
inline constexpr std::string_view kDuplicateTable = "42P07";
inline constexpr std::string_view kAmbiguousParameter = "42P08";
inline constexpr std::string_view kInvalidColumnReference = "42P10";
inline constexpr std::string_view kInvalidTableDefinition = "42P16";
inline constexpr std::string_view kIndeterminateDatatype = "42P18";
inline constexpr std::string_view kDiskFull = "53100";
inline constexpr std::string_view kOutOfMemory = "53200";
inline constexpr std::string_view kTooManyConnections = "53300";
inline constexpr std::string_view kConfigurationLimitExceeded = "53400";
inline constexpr std::string_view kProgramLimitExceeded = "54000";
inline constexpr std::string_view kStatementTooComplex = "54001";
inline constexpr std::string_view kTooManyColumns = "54011";
inline constexpr std::string_view kObjectNotInPrerequisiteState = "55000";
inline constexpr std::string_view kObjectInUse = "55006";
inline constexpr std::string_view kCantChangeRuntimeParameter = "55P02";
inline constexpr std::string_view kLockNotAvailable = "55P03";
inline constexpr std::string_view kQueryCanceled = "57014";
inline constexpr std::string_view kAdminShutdown = "57P01";
inline constexpr std::string_view kCannotConnectNow = "57P03";
inline constexpr std::string_view kIdleSessionTimeout = "57P05";
inline constexpr std::string_view kIoError = "58030";
inline constexpr std::string_view kInternalError = "XX000";
inline constexpr std::string_view kDataCorrupted = "XX001";
}  // namespace sqlstate

// An error for a user. The absl code follows from the SQLSTATE's class; callers that branch use SqlStateOf().
// hint is the statement or setting that would help, as one sentence; empty for none.
absl::Status SqlError(std::string_view sqlstate, std::string message, std::string hint = "");

// The SQLSTATE attached by SqlError, else the one that suits the absl code (Internal -> XX000, Cancelled -> 57014,
// DataLoss -> XX001, Unavailable -> 58030, ResourceExhausted -> 53400, others -> XX000).
std::string SqlStateOf(const absl::Status& status);
std::string HintOf(const absl::Status& status);
std::string MessageOf(const absl::Status& status);

// `status` with "<context>: " put before its message; code, SQLSTATE and hint are kept. OK stays OK.
absl::Status WithContext(absl::Status status, std::string_view context);

}  // namespace anabranch

#define ANABRANCH_CONCAT_INNER(a, b) a##b
#define ANABRANCH_CONCAT(a, b) ANABRANCH_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expression)                           \
  do {                                                        \
    if (absl::Status status_ = (expression); !status_.ok()) { \
      return status_;                                         \
    }                                                         \
  } while (false)

// ASSIGN_OR_RETURN(auto value, Function());
#define ASSIGN_OR_RETURN(target, expression) \
  ASSIGN_OR_RETURN_INNER(ANABRANCH_CONCAT(status_or_, __LINE__), target, expression)
#define ASSIGN_OR_RETURN_INNER(holder, target, expression) \
  auto holder = (expression);                              \
  if (!holder.ok()) {                                      \
    return std::move(holder).status();                     \
  }                                                        \
  target = *std::move(holder)
