#include "sql/session/copy_in.h"

#include "base/status.h"

namespace anabranch {
namespace {

class BlockCopyIn final : public CopyIn {
 public:
  BlockCopyIn(TransactionBlock* block, TableRulesRef rules, std::vector<int> positions, CopyFormat format,
              const Execution& execution)
      : block_(*block), reader_(std::move(rules), std::move(positions), std::move(format), execution) {}
  ~BlockCopyIn() override {
    if (!over_) End(SqlError(sqlstate::kQueryCanceled, "COPY from stdin failed")).IgnoreError();
  }

  size_t column_count() const override { return reader_.column_count(); }

  absl::Status Data(std::string_view bytes, std::stop_token stop) override {
    reader_.set_stop(std::move(stop));
    const absl::Status status = reader_.Data(bytes);
    return status.ok() ? status : End(status);
  }

  absl::StatusOr<std::string> Done(std::stop_token stop) override {
    reader_.set_stop(stop);
    const absl::StatusOr<uint64_t> rows = reader_.Done();
    RETURN_IF_ERROR(End(rows.status(), std::move(stop)));
    return fmt::format("COPY {}", *rows);
  }

 private:
  absl::Status End(absl::Status status, std::stop_token stop = {}) {
    over_ = true;
    return block_.Finish(std::move(status), std::move(stop));
  }

  TransactionBlock& block_;
  CopyReader reader_;
  bool over_ = false;
};

}  // namespace

std::unique_ptr<CopyIn> MakeCopyIn(TransactionBlock* block, TableRulesRef rules, std::vector<int> positions,
                                   CopyFormat format, const Execution& execution) {
  return std::make_unique<BlockCopyIn>(block, std::move(rules), std::move(positions), std::move(format), execution);
}

}  // namespace anabranch
