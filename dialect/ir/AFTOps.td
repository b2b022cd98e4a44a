//===- AFTOps.td - All operations of the dialect --------------------------===//

include "dialect/ir/Mixers.td"
include "dialect/ir/Online.td"
include "dialect/ir/Model.td"
include "dialect/ir/Launch.td"
