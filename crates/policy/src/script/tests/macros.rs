//! The macros and globals, on the facts of Ranger's own tests.

use super::*;
use crate::dates::named_zone;

#[test]
fn macros_give_what_ranger_gives() {
    let request = Request::usual();
    for (source, expected) in [
        ("UG_NAMES_CSV", "'test-group1,test-group2'"),
        ("UR_NAMES_CSV", "'test-role1,test-role2'"),
        ("TAG_NAMES_CSV", "'PCI,PII'"),
        ("USER_ATTR_NAMES_CSV", "'partners,state'"),
        ("UG_ATTR_NAMES_CSV", "'dept,site'"),
        ("TAG_ATTR_NAMES_CSV", "'attr1,expiry,names,score'"),
        ("GET_UG_ATTR_CSV('dept')", "'ENGG,PROD'"),
        ("GET_TAG_ATTR_CSV('attr1')", "'PCI_value,PII_value'"),
        ("UG_NAMES_Q_CSV", "''test-group1','test-group2''"),
        ("GET_UG_ATTR_Q_CSV('site')", "''10','20''"),
        ("HAS_USER_ATTR('state')", "true"),
        ("HAS_USER_ATTR('_name')", "true"),
        ("HAS_USER_ATTR('none')", "false"),
        ("IS_IN_GROUP('test-group1')", "true"),
        ("IS_IN_GROUP('none')", "false"),
        ("IS_IN_GROUP(null)", "false"),
        ("IS_IN_ANY_GROUP", "true"),
        ("IS_NOT_IN_ANY_GROUP", "false"),
        ("IS_IN_ROLE('test-role1')", "true"),
        ("IS_IN_ANY_ROLE", "true"),
        ("IS_NOT_IN_ANY_ROLE", "false"),
        ("IS_NOT_IN_ANY_ROLE == false", "true"),
        ("HAS_UG_ATTR('dept')", "true"),
        ("HAS_UG_ATTR('_name')", "true"),
        ("HAS_UG_ATTR('none')", "false"),
        ("HAS_TAG('PII')", "true"),
        ("HAS_TAG('none')", "false"),
        ("HAS_ANY_TAG", "true"),
        ("HAS_NO_TAG", "false"),
        ("HAS_TAG_ATTR('attr1')", "true"),
        ("HAS_TAG_ATTR('none')", "false"),
        ("GET_TAG_NAMES()", "'PCI,PII'"),
        ("GET_TAG_NAMES(null, '|')", "'PCI|PII'"),
        ("GET_TAG_NAMES(null, null)", "'PCIPII'"),
        ("GET_TAG_NAMES_Q(null, '|', null)", "'PCI|PII'"),
        ("GET_TAG_NAMES_Q(null, ',', '{', '}')", "'{PCI},{PII}'"),
        ("GET_TAG_NAMES_Q(null, null)", "''PCI''PII''"),
        ("GET_TAG_ATTR('attr1', null, '|')", "'PCI_value|PII_value'"),
        ("GET_TAG_ATTR_Q('attr1', null, ',', '{', '}')", "'{PCI_value},{PII_value}'"),
        ("GET_UG_NAMES_Q()", "''test-group1','test-group2''"),
        ("GET_UR_NAMES(null, ' ')", "'test-role1 test-role2'"),
        ("GET_USER_ATTR('state')", "'CA'"),
        ("GET_USER_ATTR('_name')", "'test-user'"),
        ("GET_USER_ATTR_Q('state', null, ',', '{', '}')", "'{CA}'"),
        ("GET_UG_ATTR('_name')", "'test-group1,test-group2'"),
    ] {
        assert_eq!(request.shown(source), expected, "{source}");
    }
}

#[test]
fn macros_give_their_default_where_there_is_nothing() {
    let request = Request::empty();
    for (source, expected) in [
        ("GET_TAG_NAMES()", "''"),
        ("GET_TAG_NAMES('empty')", "'empty'"),
        ("GET_TAG_NAMES('empty', null)", "'empty'"),
        ("GET_TAG_NAMES_Q('empty', ',')", "''empty''"),
        ("GET_TAG_NAMES_Q('empty', '|', null)", "'empty'"),
        ("GET_TAG_NAMES_Q('empty', ',', '{', '}')", "'{empty}'"),
        ("GET_USER_ATTR('none')", "''"),
        ("GET_USER_ATTR('none', 'empty')", "'empty'"),
        ("GET_UG_ATTR_Q('none', 'empty')", "''empty''"),
        ("TAG_NAMES_CSV", "''"),
        ("UR_NAMES_Q_CSV", "''"),
        ("HAS_NO_TAG && IS_NOT_IN_ANY_GROUP && IS_NOT_IN_ANY_ROLE", "true"),
        ("TAG._type", "undefined"),
        ("TAGNAMES.length + UGNAMES.length + Object.keys(TAGS).length", "0"),
        ("USER._name", "'test-user'"),
        ("ctx.currentTagType", "null"),
        ("ctx.getAttributeValue('PII', 'attr1')", "null"),
    ] {
        assert_eq!(request.shown(source), expected, "{source}");
    }
}

#[test]
fn globals_hold_the_request() {
    let request = Request::usual();
    for (source, expected) in [
        ("USER._name == 'test-user' && USER.state == 'CA'", "true"),
        ("UG['test-group1'].dept + UG['test-group2'].site + UG['test-group1']._name", "'ENGG20test-group1'"),
        ("UG['test-group3'] == null", "true"),
        ("UGA.sVal['dept'] + UGA.sVal.site", "'ENGG10'"),
        ("J(UGA.mVal['dept'])", "'[\"ENGG\",\"PROD\"]'"),
        ("UGA.mVal['dept'].indexOf('PROD') != -1", "true"),
        ("UGA.mVal._name", "['test-group1','test-group2']"),
        ("UGNAMES", "['test-group1','test-group2']"),
        ("URNAMES.includes('test-role2')", "true"),
        ("REQ.accessType + REQ.action + REQ.clientIPAddress", "'selectquery10.0.0.1'"),
        ("REQ.clusterName", "null"),
        ("REQ.forwardedAddresses[0]", "'10.0.0.2'"),
        ("RES._ownerUser + RES.database + RES.path[1]", "'testUserdb1b'"),
        ("REQ.resource.table", "'tbl1'"),
        ("REQ.userRoles.length", "2"),
        ("TAG._type + TAG._matchType + TAG.attr1", "'PIISELFPII_value'"),
        ("TAGS['PCI'].attr1", "'PCI_value'"),
        ("TAGS.PII.none == undefined", "true"),
        ("TAGNAMES", "['PCI','PII']"),
        ("_ctx.request.user + _ctx.tagNames.length + _ctx.tags.PCI._type + _ctx.tag._type", "'test-user2PCIPII'"),
        ("[[TAG.names]].intersects([[USER.partners]])", "false"),
        ("[[TAG.names]].includes('SALES')", "true"),
        ("[[USER[TAG._type]]]", "fault: a method cannot be called on undefined"),
        ("[[USER.partners,'-']].length", "4"),
        ("[[1, 2]].length", "1"),
    ] {
        assert_eq!(request.shown(source), expected, "{source}");
    }
}

#[test]
fn the_methods_of_ctx_answer() {
    let request = Request::usual();
    for (source, expected) in [
        ("ctx.getUser() + ctx.user", "'test-usertest-user'"),
        ("ctx.getResource()", "'db1/tbl1/col1'"),
        ("ctx.resourceZone", "''"),
        ("ctx.getResourceZones().isEmpty()", "true"),
        ("ctx.isAccessTypeAny() || ctx.accessTypeDelegatedAdmin", "false"),
        ("ctx.getAction() + ctx.clientIPAddress + ctx.clientType", "'query10.0.0.1null'"),
        ("ctx.getCurrentTagType()", "'PII'"),
        ("ctx.getAllTagTypes().contains('PCI')", "true"),
        ("ctx.getTagAttributes('PCI').get('attr1')", "'PCI_value'"),
        ("ctx.getTagAttributes('none')", "null"),
        ("ctx.getTagAttributesForAllMatchingTags('PCI').size()", "1"),
        ("ctx.getAttributeNames('PCI').contains('attr1')", "true"),
        ("ctx.getAttributeValue('attr1')", "'PII_value'"),
        ("ctx.getAttributeValue('PCI', 'attr1')", "'PCI_value'"),
        ("ctx.getAttributeValueForAllMatchingTags('PII', 'attr1')", "['PII_value']"),
        ("ctx.getAttributeValueForAllMatchingTags('PII', 'none')", "[]"),
        ("ctx.getAttributeValueForAllMatchingTags(null, 'none')", "null"),
        ("ctx.getRequestContextAttribute('LOCATION_TEST_COUNTRY_CODE')", "'US'"),
        ("ctx.getRequestContextAttribute('')", "null"),
        ("ctx.isAccessedBefore('PII', 'expiry')", "false"),
        ("ctx.isAccessedAfter('PII', 'expiry')", "true"),
        ("ctx.isAccessedBefore('PII', 'none')", "false"),
        ("ctx.isAccessedAfter('PII', 'none')", "true"),
        ("ctx.logInfo('x')", "undefined"),
        ("ctx.result = 1", "fault: `ctx.result` takes a boolean and not a number"),
        ("ctx.result = false", "false"),
        ("ctx.result", "false"),
    ] {
        assert_eq!(request.shown(source), expected, "{source}");
    }
}

#[test]
fn the_moment_of_a_date_belongs_to_both_sides() {
    let request = Request { at: "2026-06-15T00:00:00Z", ..Request::usual() };
    assert_eq!(request.shown("ctx.isAccessedBefore('expiry') && ctx.isAccessedAfter('expiry')"), "true");
    let request = Request { at: "2026-06-14T23:59:59.999Z", ..Request::usual() };
    assert_eq!(request.shown("ctx.isAccessedBefore('expiry') && !ctx.isAccessedAfter('expiry')"), "true");
}

#[test]
fn the_access_time_is_compared_in_a_zone() {
    for (source, expected) in [
        ("IS_ACCESS_TIME_AFTER('2020/01/01')", true),
        ("IS_ACCESS_TIME_AFTER('2026/06/15 12:00:00')", false),
        ("IS_ACCESS_TIME_AFTER('2026/06/15 11:59:59')", true),
        ("IS_ACCESS_TIME_AFTER('2026/06/15 11:59')", true),
        ("IS_ACCESS_TIME_BEFORE('2026/06/15 12:00:00')", false),
        ("IS_ACCESS_TIME_BEFORE('2026/06/15 12:00:01')", true),
        ("IS_ACCESS_TIME_BETWEEN('2026/06/15 12:00:00', '2026/06/15 12:00:01')", true),
        ("IS_ACCESS_TIME_BETWEEN('2026/06/15 11:00:00', '2026/06/15 12:00:00')", false),
        // 12:00 in UTC is 08:00 in New York in June.
        ("IS_ACCESS_TIME_AFTER('2026/06/15 07:59:59', 'America/New_York')", true),
        ("IS_ACCESS_TIME_AFTER('2026/06/15 08:00:00', 'America/New_York')", false),
        ("IS_ACCESS_TIME_AFTER('2026/06/15 08:00:01', 'America/New_York')", false),
        ("IS_ACCESS_TIME_BEFORE('2026/06/15 08:00:01', 'America/New_York')", true),
        ("IS_ACCESS_TIME_AFTER('2026/06/15 11:59', 'Mars/Olympus')", true),
    ] {
        assert_eq!(Request::usual().shown(source), expected.to_string(), "{source}");
    }
    let request = Request { zone: named_zone("America/New_York"), ..Request::usual() };
    assert_eq!(request.shown("IS_ACCESS_TIME_AFTER('2026/06/15 07:59')"), "true");
    assert_eq!(request.shown("IS_ACCESS_TIME_AFTER('2026/06/15 08:01')"), "false");
    assert_eq!(request.shown("IS_ACCESS_TIME_AFTER('2026/06/15 11:59', 'GMT')"), "true");
}

#[test]
fn a_date_that_is_none_leaves_a_range_open_for_ranger_only() {
    let strict = Request::usual();
    let ranger = Request { as_ranger: true, ..Request::usual() };
    for (source, fault) in [
        ("IS_ACCESS_TIME_AFTER('tomorrow')", "`tomorrow` is no date; write it as `2020/12/31 23:59:59`"),
        (
            "IS_ACCESS_TIME_BETWEEN('tomorrow', '2100/01/01')",
            "`tomorrow` is no date; write it as `2020/12/31 23:59:59`",
        ),
        ("IS_ACCESS_TIME_AFTER(null)", "a comparison with the access time needs a date"),
    ] {
        assert_eq!(strict.shown(source), format!("fault: {fault}"), "{source}");
        assert_eq!(ranger.shown(source), "true", "{source}");
    }
    assert_eq!(strict.shown("IS_ACCESS_TIME_BEFORE('1960/01/01')"), "false");
    assert_eq!(ranger.shown("IS_ACCESS_TIME_BEFORE('1960/01/01')"), "true");
}

#[test]
fn several_tags_of_one_type_are_all_looked_at() {
    let request = Request {
        tags: &[("PII", &[("type", "email")]), ("PII", &[("kind", "x"), ("type", "phone")])],
        ..Request::usual()
    };
    for (source, expected) in [
        ("TAG_NAMES_CSV", "'PII'"),
        ("TAG_ATTR_NAMES_CSV", "'kind,type'"),
        ("ctx.getAttributeValueForAllMatchingTags('PII', 'type')", "['email','phone']"),
        ("GET_TAG_ATTR('type')", "'email,phone'"),
        ("TAGNAMES.length", "1"),
    ] {
        assert_eq!(request.shown(source), expected, "{source}");
    }
}
